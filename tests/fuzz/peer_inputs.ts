/**
 * Messages of peers.
 *
 * With a foreign identity (another cluster, another data folder, another receiver,
 * another version) a message may say anything, because it must not be looked at.
 *
 * With the right identity it says only what the protocol refuses or survives: servers
 * do not authenticate each other yet, so no server can tell a member that leads or
 * acknowledges from a sender that says the same in its name.
 *
 * @module
 */

import { create } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { crc32c } from "../../lib/crc32c.ts";
import { PROTOCOL_VERSION } from "../../lib/transport.ts";
import {
  type EntrySchema,
  EntryType,
  EnvelopeSchema,
  PeerService,
  SendRequestSchema,
  StreamRequestSchema,
} from "../../transport/wire/gen/raft/v1/peer_pb.ts";
import type { Envelope, InstallSnapshotStatus } from "../../transport/wire/gen/raft/v1/peer_pb.ts";
import { call, encode, streamed } from "./call_inputs.ts";
import type { Format } from "./call_inputs.ts";
import type { Draw } from "./draw.ts";
import type { Ground, Sendable } from "./input.ts";
import { randomMessage } from "./messages.ts";

type Shape = MessageInitShape<typeof EnvelopeSchema>;
type Message = NonNullable<Shape["message"]>;
type EntryShape = MessageInitShape<typeof EntrySchema>;

/** A message whose numbers depend on the cluster at the time of sending. */
interface Planned {
  readonly what: string;
  readonly disruptive?: boolean;
  readonly message: (ground: Ground) => Message;
  /** The sender. @default any other member, or a stranger */
  readonly from?: (ground: Ground) => string;
}

/** Further than any log or term grows in a run. */
const FAR = 2n ** 40n;
const ABSURD: readonly bigint[] = [FAR, 2n ** 52n, 2n ** 53n - 1n];
/** Numbers that no double holds exactly: they are refused before anything else is looked at. */
const UNSAFE: readonly bigint[] = [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
const STRANGER = "fuzz-stranger";

/** Returns any number that is mostly one that the wire format permits. */
function anyNumber(draw: Draw): bigint {
  return draw.chance(0.02) ? draw.pick(UNSAFE) : BigInt.asUintN(53, draw.number());
}

/** The relation of a term to the cluster's. */
type Age = "stale" | "same" | "next" | "absurd";

interface Term {
  readonly age: Age;
  readonly of: (ground: Ground) => bigint;
}

function term(draw: Draw, ages: readonly Age[]): Term {
  const age = draw.pick(ages);
  const [by, absurd] = [draw.whole(1, 3), draw.chance(0.1) ? draw.pick(UNSAFE) : draw.pick(ABSURD)];
  const of = ({ world, target }: Ground): bigint => {
    // Against the receiver's own term, which only grows: it is stale for certain.
    if (age === "stale") return BigInt(Math.max(0, (world.view(target.id)?.term ?? 0) - by));
    if (age === "same") return BigInt(world.term);
    return age === "next" ? BigInt(world.term + by) : absurd;
  };
  return { age, of };
}

const ANY_AGE: readonly Age[] = ["stale", "stale", "same", "next", "absurd", "absurd"];

/** Returns an index that no log of the run reaches, or 0: nothing is acknowledged by it. */
function impossibleIndex(draw: Draw): bigint {
  return draw.pick([0n, ...ABSURD]);
}

function requestVote(draw: Draw): Planned {
  const { age, of } = term(draw, ANY_AGE);
  const [lastLogIndex, lastLogTerm] = [anyNumber(draw), anyNumber(draw)];
  const [preVote, leadershipTransfer] = [draw.chance(0.4), draw.chance(0.4)];
  return {
    what: `RequestVote, ${age} term${preVote ? ", pre-vote" : ""}${leadershipTransfer ? ", transfer" : ""}`,
    disruptive: age === "next" && !preVote,
    message: (ground) => ({
      case: "requestVote",
      value: { term: of(ground), lastLogIndex, lastLogTerm, preVote, leadershipTransfer },
    }),
  };
}

function requestVoteResponse(draw: Draw): Planned {
  const { age, of } = term(draw, ANY_AGE);
  const preVote = draw.chance(0.5);
  // A vote that was not given is a lie that no candidate can see through.
  const voteGranted = (preVote || age === "stale" || age === "absurd") && draw.chance(0.7);
  return {
    what: `RequestVoteResponse, ${age} term${voteGranted ? ", granted" : ""}${preVote ? ", pre-vote" : ""}`,
    disruptive: age === "next",
    message: (ground) => ({ case: "requestVoteResponse", value: { term: of(ground), voteGranted, preVote } }),
  };
}

/** Entries that no leader sends: with gaps, of wrong terms and types. Each is malformed by itself. */
function malformedEntries(draw: Draw): Planned {
  const { age, of } = term(draw, ANY_AGE);
  const [name, entry] = draw.pick<readonly [string, (term: bigint) => EntryShape]>([
    ["a gap", (term) => ({ index: 3n, term, type: EntryType.COMMAND })],
    ["index 0", (term) => ({ index: 0n, term, type: EntryType.COMMAND })],
    ["an index over 2^53", (term) => ({ index: 2n ** 60n, term, type: EntryType.COMMAND })],
    ["a later term", (term) => ({ index: 1n, term: term + 1n, type: EntryType.COMMAND })],
    ["an unknown type", (term) => ({ index: 1n, term, type: 9 as EntryType })],
    ["a noop with data", (term) => ({ index: 1n, term, type: EntryType.NOOP, data: Uint8Array.of(1) })],
    [
      "a malformed membership",
      (term) => ({ index: 1n, term, type: EntryType.MEMBERSHIP, data: Uint8Array.of(255, 1) }),
    ],
  ]);
  const count = draw.chance(0.1) ? draw.size(3000) : 1;
  return {
    what: `AppendEntries, ${age} term, ${count} times ${name}`,
    message(ground) {
      const now = of(ground) & (2n ** 63n - 1n);
      const entries = new Array<EntryShape>(count).fill(entry(now));
      const numbers = { term: now, prevLogIndex: 0n, prevLogTerm: 0n, leaderCommit: 0n, round: 1n };
      return { case: "appendEntries", value: { ...numbers, entries } };
    },
  };
}

/** Heartbeats that prove nothing about the receiver's log, so that nothing is committed by them. */
function heartbeat(draw: Draw): Planned {
  const { age, of } = term(draw, ANY_AGE);
  const [prevLogIndex, prevLogTerm] = [impossibleIndex(draw), anyNumber(draw)];
  const [leaderCommit, round] = [anyNumber(draw), anyNumber(draw)];
  return {
    what: `AppendEntries, ${age} term, after entry ${prevLogIndex}`,
    disruptive: age === "next" || age === "same",
    // In the present term there is one leader: another member, or a stranger, is refused.
    from: ({ world, target }) => world.memberBut(target.id, world.leader),
    message: (ground) => ({
      case: "appendEntries",
      value: {
        term: of(ground),
        prevLogIndex,
        prevLogTerm: prevLogIndex === 0n ? 0n : prevLogTerm,
        leaderCommit,
        round,
      },
    }),
  };
}

/** Entries in the place of committed ones. */
function contradiction(draw: Draw): Planned {
  const { of } = term(draw, ["next"]);
  const [back, termBack, count] = [draw.size(20), draw.whole(0, 2), draw.whole(1, 5)];
  const leaderCommit = anyNumber(draw);
  return {
    what: `AppendEntries, next term, ${count} entries ${back} before the commit index`,
    disruptive: true,
    message(ground) {
      const { world, target } = ground;
      const now = of(ground);
      const first = BigInt(Math.max(1, world.committed(target.id) - back));
      const entries = Array.from(
        { length: count },
        (_, at) => ({ index: first + BigInt(at), term: now, type: EntryType.NOOP }),
      );
      const prevLogTerm = first === 1n ? 0n : BigInt(Math.max(0, world.term - termBack));
      // Up to the committed one, not beyond: after it, this would be a leader's right.
      const kept = entries.filter(({ index }) => index <= BigInt(world.committed(target.id)));
      const numbers = { term: now, prevLogIndex: first - 1n, prevLogTerm, leaderCommit, round: 1n };
      return { case: "appendEntries", value: { ...numbers, entries: kept } };
    },
  };
}

function appendEntriesResponse(draw: Draw): Planned {
  const { age, of } = term(draw, ANY_AGE);
  const value = {
    success: draw.chance(0.6),
    matchIndex: impossibleIndex(draw),
    prevLogIndex: anyNumber(draw),
    conflictIndex: anyNumber(draw),
    conflictTerm: anyNumber(draw),
    round: impossibleIndex(draw),
  };
  return {
    what: `AppendEntriesResponse, ${age} term, ${value.success ? "success" : "failure"}, match ${value.matchIndex}`,
    disruptive: age === "next",
    message: (ground) => ({ case: "appendEntriesResponse", value: { term: of(ground), ...value } }),
  };
}

/** Snapshots that are no snapshots of the state machine. */
function installSnapshot(draw: Draw): Planned {
  const { age, of } = term(draw, ANY_AGE);
  const data = draw.bytes(draw.chance(0.3) ? 0 : draw.size(draw.chance(0.1) ? 300_000 : 3000));
  const size = draw.weighted([[4, BigInt(data.length)], [1, BigInt(data.length) + 1n], [1, anyNumber(draw)]]);
  const checksum = draw.chance(0.7) ? crc32c(data) : 7;
  const ahead = draw.pick([-5n, 10n, 1_000_000n, ...ABSURD]);
  const [offset, round, id] = [draw.chance(0.8) ? 0n : anyNumber(draw), anyNumber(draw), `fuzz-${draw.whole(0, 9)}`];
  const own = draw.chance(0.5);
  const evil = { voters: ["evil"], members: [{ id: "evil", address: draw.address(), incarnation: "evil" }] };
  return {
    what: `InstallSnapshot, ${age} term, ${data.length} of ${size} bytes, ${ahead} after the log`,
    disruptive: age === "next" || age === "same",
    message(ground) {
      const { world } = ground;
      const sum = BigInt(world.lastIndex) + ahead;
      const members = world.targets.map(({ id, address }) => {
        return { id, address, incarnation: world.view(id)?.incarnation ?? "" };
      });
      const membership = own ? { voters: members.map(({ id }) => id), members } : evil;
      const snapshot = {
        id,
        index: sum < 1n ? 1n : BigInt.asUintN(64, sum),
        term: BigInt(world.term),
        membership,
        size,
        checksum,
      };
      return { case: "installSnapshot", value: { term: of(ground), round, snapshot, offset, data } };
    },
  };
}

function installSnapshotResponse(draw: Draw): Planned {
  const { age, of } = term(draw, ANY_AGE);
  const value = {
    round: impossibleIndex(draw),
    snapshotId: draw.text(),
    offset: anyNumber(draw),
    status: draw.whole(0, 4) as InstallSnapshotStatus,
    matchIndex: impossibleIndex(draw),
  };
  return {
    what: `InstallSnapshotResponse, ${age} term, status ${value.status}`,
    disruptive: age === "next",
    message: (ground) => ({ case: "installSnapshotResponse", value: { term: of(ground), ...value } }),
  };
}

function timeoutNow(draw: Draw): Planned {
  const { age, of } = term(draw, ANY_AGE);
  return {
    what: `TimeoutNow, ${age} term`,
    disruptive: age === "same" || age === "next",
    message: (ground) => ({ case: "timeoutNow", value: { term: of(ground) } }),
  };
}

type Identity = Omit<Shape, "message" | "$typeName">;

/** Returns the identity of a member, or of a stranger in the right cluster, that writes to the node. */
function rightIdentity({ world, target }: Ground, from: string): Identity {
  return {
    protocolVersion: PROTOCOL_VERSION,
    clusterId: world.clusterId,
    from,
    fromIncarnation: world.view(from)?.incarnation ?? "fuzz",
    to: target.id,
    toIncarnation: world.view(target.id)?.incarnation ?? "fuzz",
  };
}

/** Sends messages that the protocol refuses or survives, in the name of a member or of a stranger. */
export function memberMessages(draw: Draw): Sendable {
  const make = draw.weighted<(draw: Draw) => Planned>([
    [3, requestVote],
    [2, requestVoteResponse],
    [2, malformedEntries],
    [3, heartbeat],
    [2, contradiction],
    [3, appendEntriesResponse],
    [4, installSnapshot],
    [2, installSnapshotResponse],
    [1, timeoutNow],
  ]);
  const planned = make(draw);
  const stranger = draw.chance(0.2);
  const other = draw.whole(0, 1);
  const fromAddress = draw.address();
  const count = draw.chance(0.1) ? draw.size(200) : 1;
  return {
    what: `${count === 1 ? "" : `${count} times `}${planned.what}${stranger ? ", from a stranger" : ""}`,
    disruptive: planned.disruptive ?? false,
    ...sending(draw, (ground) => {
      const others = ground.world.targets.filter(({ id }) => id !== ground.target.id);
      const from = stranger ? STRANGER : planned.from?.(ground) ?? others[other % others.length]!.id;
      const identity = rightIdentity(ground, from);
      const envelope = create(EnvelopeSchema, { ...identity, fromAddress, message: planned.message(ground) });
      return new Array<Envelope>(count).fill(envelope);
    }),
  };
}

/** The ways in which an identity is foreign. */
const FOREIGN: readonly (readonly [name: string, change: (draw: Draw) => Identity])[] = [
  ["another cluster", (draw) => ({ clusterId: draw.pick(["", "fuzz", "x".repeat(draw.size(2000))]) })],
  ["another receiver", (draw) => ({ to: draw.text() })],
  ["another folder of the receiver", () => ({ toIncarnation: "fuzz" })],
  ["another version", (draw) => ({ protocolVersion: draw.pick([0, 2, 99, 2 ** 32 - 1]) })],
];

/** Sends messages that say anything, and are meant for another cluster, node, folder or version. */
export function foreignMessages(draw: Draw): Sendable {
  const [name, change] = draw.pick(FOREIGN);
  const identity = change(draw);
  const count = draw.chance(0.1) ? draw.size(2000) : 1;
  const random = randomMessage(EnvelopeSchema, draw) as Envelope;
  const fromAddress = draw.address();
  const mutates = draw.chance(0.3);
  const leading = draw.chance(0.4);
  const ahead = BigInt(draw.whole(0, 3));
  return {
    what: `${count === 1 ? "" : `${count} times `}${
      leading ? "AppendEntries" : random.message.case ?? "no message"
    }, ${name}${mutates ? ", mutated" : ""}`,
    ...sending(draw, (ground) => {
      const { world, target } = ground;
      const message: Message = leading ? leaders(ground, ahead) : random.message;
      const right = rightIdentity(ground, world.leader ?? world.memberBut(target.id));
      const envelope = create(EnvelopeSchema, { ...right, fromAddress, ...identity, message });
      return new Array<Envelope>(count).fill(envelope);
    }, mutates),
  };
}

/** Returns what a leader could say: an entry after the log, already committed. */
function leaders({ world }: Ground, ahead: bigint): Message {
  const [now, last] = [BigInt(world.term) + ahead, BigInt(world.lastIndex)];
  const entries = [{ index: last + 1n, term: now, type: EntryType.COMMAND, data: new Uint8Array(20) }];
  const numbers = {
    term: now,
    prevLogIndex: last,
    prevLogTerm: BigInt(world.term),
    leaderCommit: last + 1n,
    round: 1n,
  };
  return { case: "appendEntries", value: { ...numbers, entries } };
}

/** Returns a way to send envelopes, by one of the methods that take some. */
function sending(draw: Draw, envelopes: (ground: Ground) => Envelope[], mutates = false): Pick<Sendable, "send"> {
  const format: Format = draw.chance(0.3) ? "json" : "proto";
  const streams = draw.chance(0.3);
  const http2 = streams || draw.chance(0.3);
  return {
    async send(ground) {
      const content = { envelopes: envelopes(ground), ack: 1 };
      const bytes = streams
        ? encode(StreamRequestSchema, create(StreamRequestSchema, content), format)
        : encode(SendRequestSchema, create(SendRequestSchema, { envelopes: content.envelopes }), format);
      // A foreign identity stays foreign when other bytes change: it has no single place in them.
      const sent = mutates ? foreignMutated(draw, bytes) : bytes;
      return await call(ground.target.address, {
        method: streams ? PeerService.method.stream : PeerService.method.send,
        format,
        body: streams ? streamed(sent) : sent,
        waitMs: http2 ? 500 : 2500,
        http2,
        abort: false,
      });
    },
  };
}

/** Cuts bytes off, or appends some: a change in the middle could make an identity right. */
function foreignMutated(draw: Draw, bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  return draw.chance(0.5)
    ? bytes.subarray(0, draw.whole(0, bytes.length))
    : Uint8Array.from([...bytes, ...draw.bytes(9)]);
}
