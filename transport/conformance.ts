/**
 * The contract of every transport, as a list of checks bound to no test runner.
 *
 * @example
 * ```ts
 * import { transportConformance, type TransportFixture } from "./conformance.ts";
 *
 * declare function myFixture(): TransportFixture;
 * for (const { name, run } of transportConformance(myFixture)) Deno.test(name, run);
 * ```
 */

import { systemClock } from "../lib/host.ts";
import { pause } from "../lib/pause.ts";
import type { Member, Membership, Message } from "../lib/raft/types.ts";
import { type Envelope, PROTOCOL_VERSION, type Transport } from "../lib/transport.ts";

/** A transport, and where it is reached. */
export interface TransportEndpoint {
  /** The transport to try. */
  readonly transport: Transport;
  /** Where others reach it. */
  readonly address: string;
  /** Closes the transport and whatever listens for it. */
  close(): Promise<void>;
}

/** The means of the suite to try a transport. Made anew for each check. */
export interface TransportFixture {
  /** Makes an endpoint whose transport is not started; at `address`, if given, where one was closed before. */
  open(address?: string): Promise<TransportEndpoint>;
  /** An address at which nobody is. */
  gone(): Promise<string>;
  /**
   * An address at which connections are taken and nothing is ever answered. Without it nothing is checked of a peer
   * that hangs.
   */
  hanging?(): Promise<{ readonly address: string; close(): Promise<void> }>;
  /** Lets so much time pass, for a clock that isn't the machine's. @default setTimeout */
  pause?(durationMs: number): Promise<void>;
  /** Frees everything that is left. */
  close(): Promise<void>;
}

/** One check of the suite. */
export interface TransportConformanceTest {
  /** The checked behaviour, as a sentence. */
  readonly name: string;
  /** Rejects if the transport breaks the contract. */
  run(): Promise<void>;
}

const MAX = Number.MAX_SAFE_INTEGER;

/** An envelope around a message, for tests of transports. */
export function sampleEnvelope(message: Message, identity: Partial<Omit<Envelope, "message">> = {}): Envelope {
  return {
    protocolVersion: PROTOCOL_VERSION,
    clusterId: "cluster",
    from: "n1",
    fromIncarnation: "first",
    fromAddress: "n1.example:7001",
    to: "n2",
    toIncarnation: "second",
    ...identity,
    message,
  };
}

/** A message that is easy to tell from others: its term. */
function numbered(term: number): Message {
  return { type: "RequestVoteResponse", term, voteGranted: true, preVote: false };
}

function member(id: string): Member {
  return { id, address: `${id}.example:7001`, incarnation: `incarnation of ${id}` };
}

const joint: Membership = {
  voters: ["n1", "n2"],
  outgoing: ["n2", "n3"],
  learners: ["n4"],
  learnersNext: ["n3"],
  members: ["n1", "n2", "n3", "n4"].map(member),
};

/** Bytes that are not all alike. */
function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * 31 + (i >>> 8));
}

/** Appends one command. */
function appending(data: Uint8Array): Message {
  const entry = { index: 5, term: 3, type: "command", data } as const;
  return {
    type: "AppendEntries",
    term: 3,
    prevLogIndex: 4,
    prevLogTerm: 3,
    entries: [entry],
    leaderCommit: 4,
    round: 1,
  };
}

/** Messages of every type, with the smallest and the largest numbers. */
export function sampleMessages(): Message[] {
  const encoder = new TextEncoder();
  const membershipEntry = encoder.encode(JSON.stringify(joint));
  const snapshot = { id: "snapshot", index: MAX, term: MAX, membership: joint, size: MAX, checksum: 0xffffffff };
  return [
    { type: "RequestVote", term: 1, lastLogIndex: 0, lastLogTerm: 0, preVote: true, leadershipTransfer: false },
    { type: "RequestVote", term: MAX, lastLogIndex: MAX, lastLogTerm: MAX, preVote: false, leadershipTransfer: true },
    { type: "RequestVoteResponse", term: 0, voteGranted: false, preVote: true },
    { type: "RequestVoteResponse", term: MAX, voteGranted: true, preVote: false },
    { type: "AppendEntries", term: 1, prevLogIndex: 0, prevLogTerm: 0, entries: [], leaderCommit: 0, round: 0 },
    {
      type: "AppendEntries",
      term: MAX,
      prevLogIndex: MAX - 3,
      prevLogTerm: 7,
      entries: [
        { index: MAX - 2, term: 7, type: "noop", data: new Uint8Array(0) },
        { index: MAX - 1, term: 8, type: "membership", data: membershipEntry },
        { index: MAX, term: MAX, type: "command", data: bytes(300) },
      ],
      leaderCommit: MAX,
      round: MAX,
    },
    {
      type: "AppendEntriesResponse",
      term: MAX,
      success: true,
      matchIndex: MAX,
      prevLogIndex: MAX,
      conflictIndex: 0,
      conflictTerm: 0,
      round: MAX,
    },
    {
      type: "AppendEntriesResponse",
      term: 3,
      success: false,
      matchIndex: 0,
      prevLogIndex: 12,
      conflictIndex: MAX,
      conflictTerm: MAX,
      round: 0,
    },
    { type: "InstallSnapshot", term: MAX, round: MAX, snapshot, offset: MAX - 256, data: bytes(256) },
    {
      type: "InstallSnapshot",
      term: 1,
      round: 0,
      snapshot: { ...snapshot, index: 1, term: 1, size: 0, checksum: 0 },
      offset: 0,
      data: new Uint8Array(0),
    },
    ...(["accepted", "installed", "failed"] as const).map((status): Message => ({
      type: "InstallSnapshotResponse",
      term: MAX,
      round: MAX,
      snapshotId: "snapshot",
      offset: MAX,
      status,
      matchIndex: status === "installed" ? MAX : 0,
    })),
    { type: "TimeoutNow", term: MAX },
  ];
}

/** Reports whether two values are alike in every field and byte. */
function alike(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array) || a.length !== b.length) return false;
    return a.every((byte, i) => byte === b[i]);
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b);
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length || Array.isArray(a) !== Array.isArray(b)) return false;
  return keys.every((key) => Object.hasOwn(b, key) && alike(field(a, key), field(b, key)));
}

function field(value: object, key: string): unknown {
  return (value as Record<string, unknown>)[key];
}

function ensure(condition: boolean, what: string): void {
  if (!condition) throw new Error(`the transport does not conform: ${what}`);
}

/** Two endpoints, started; what arrives at the second is kept. */
interface Pair {
  readonly fixture: TransportFixture;
  readonly sender: TransportEndpoint;
  readonly receiver: TransportEndpoint;
  readonly arrived: Envelope[];
}

function terms(arrived: readonly Envelope[]): Set<number> {
  return new Set(arrived.map((envelope) => envelope.message.term));
}

/** Lets time pass. */
function wait({ fixture }: Pair, ms: number): Promise<void> {
  return fixture.pause?.(ms) ?? pause(systemClock, ms);
}

/** Sends now and then until the condition holds: a message may be lost, all of them may not. */
async function persistently(pair: Pair, send: () => void, condition: () => boolean, what: string): Promise<void> {
  for (let attempt = 0; !condition(); attempt++) {
    ensure(attempt < 800, `${what} within 20 s`);
    send();
    await wait(pair, 25);
  }
}

/** Sends a numbered message to the receiver, or to another address. */
function send({ sender, receiver }: Pair, term: number, address: string = receiver.address): void {
  sender.transport.send(address, sampleEnvelope(numbered(term)));
}

/** Sends a numbered message until it arrives at the receiver. */
async function arrives(pair: Pair, term: number, what: string): Promise<void> {
  await persistently(pair, () => send(pair, term), () => terms(pair.arrived).has(term), what);
}

/** Sends each message until it arrives, and demands that it arrives unaltered. */
async function roundTrip(pair: Pair, envelopes: readonly Envelope[]): Promise<void> {
  const { sender, receiver, arrived } = pair;
  for (const envelope of envelopes) {
    const came = () => arrived.some((other) => alike(other, envelope));
    const send = () => sender.transport.send(receiver.address, envelope);
    await persistently(pair, send, came, `a ${envelope.message.type} arrives unaltered`);
  }
  const strange = arrived.find((other) => !envelopes.some((envelope) => alike(other, envelope)));
  ensure(strange === undefined, `a ${strange?.message.type} arrived that was never sent so`);
}

/** The checks, by the behaviour that each checks. A transport promises no order of messages, so none asks for it. */
const checks: Readonly<Record<string, (pair: Pair) => Promise<void>>> = {
  async "every type of message arrives unaltered, with the largest numbers too"(pair) {
    await roundTrip(pair, sampleMessages().map((message) => sampleEnvelope(message)));
  },

  async "identities arrive unchanged, even wrong ones: refusing them is the node's task"(pair) {
    await roundTrip(pair, [
      sampleEnvelope(numbered(1), { clusterId: "another cluster" }),
      sampleEnvelope(numbered(2), { clusterId: "", toIncarnation: "", fromIncarnation: "", fromAddress: "" }),
      sampleEnvelope(numbered(3), { to: "someone else", toIncarnation: "of someone else" }),
      sampleEnvelope(numbered(4), { from: "knoten-ä-節", protocolVersion: PROTOCOL_VERSION + 1 }),
    ]);
  },

  async "a command of 1.5 MiB and snapshot chunks of 256 KiB arrive unaltered"(pair) {
    const snapshot = { id: "s", index: 9, term: 2, membership: joint, size: 2 ** 20, checksum: 1 };
    const data = bytes(2 ** 18);
    await roundTrip(pair, [
      sampleEnvelope(appending(bytes(1.5 * 2 ** 20))),
      ...[0, 2 ** 18].map((offset) =>
        sampleEnvelope({ type: "InstallSnapshot", term: 3, round: 2, snapshot, offset, data })
      ),
    ]);
  },

  async "many messages arrive, and nothing that was not sent"(pair) {
    const missing = () => {
      const came = terms(pair.arrived);
      return Array.from({ length: 500 }, (_, i) => i + 1).filter((term) => !came.has(term));
    };
    const sendSome = () => {
      for (const term of missing().slice(0, 50)) send(pair, term);
    };
    await persistently(pair, sendSome, () => missing().length === 0, "500 messages arrive, sent until they do");
    ensure(pair.arrived.every(({ message }) => message.term <= 500), "a message arrived that was never sent");
  },

  async "both directions work at once"(pair) {
    const { fixture, receiver, arrived } = pair;
    const back: Envelope[] = [];
    const other = await fixture.open();
    await other.transport.start((envelope) => void back.push(envelope));
    await persistently(
      pair,
      () => {
        other.transport.send(receiver.address, sampleEnvelope(numbered(1)));
        receiver.transport.send(other.address, sampleEnvelope(numbered(2)));
        send(pair, 3, other.address);
      },
      () => terms(arrived).has(1) && terms(back).has(2) && terms(back).has(3),
      "messages arrive both ways",
    );
  },

  async "a closed peer costs a drop, and delays no other"(pair) {
    const gone = await pair.fixture.gone();
    for (let term = 1; term <= 2000; term++) send(pair, term, gone);
    const both = () => {
      send(pair, 1, gone);
      send(pair, 7);
    };
    await persistently(pair, both, () => terms(pair.arrived).has(7), "a message to another peer arrives");
  },

  async "a message to an invalid address is dropped"(pair) {
    for (const address of ["", "no port here", "::::", "ftp://n1:1"]) send(pair, 1, address);
    await arrives(pair, 7, "a message to a sound address arrives");
  },

  async "a peer that hangs delays neither other peers nor close"(pair) {
    const { fixture, sender } = pair;
    const hanging = await fixture.hanging?.();
    if (hanging === undefined) return;
    const large = sampleEnvelope(appending(bytes(2 ** 20)));
    for (let count = 0; count < 100; count++) sender.transport.send(hanging.address, large);
    await arrives(pair, 7, "a message to another peer arrives");
    await sender.close();
    await hanging.close();
  },

  async "a peer that restarts at the same address is reached again"(pair) {
    const { fixture, receiver, arrived } = pair;
    await arrives(pair, 1, "a message arrives before the restart");
    await receiver.close();
    send(pair, 2);
    const again = await fixture.open(receiver.address);
    const later: Envelope[] = [];
    await again.transport.start((envelope) => void later.push(envelope));
    await persistently(pair, () => send(pair, 3), () => terms(later).has(3), "a message arrives after the restart");
    ensure(!terms(arrived).has(3), "a closed transport delivered");
  },

  async "nothing is delivered once close has resolved"(pair) {
    await arrives(pair, 1, "a message arrives before the close");
    for (let count = 0; count < 200; count++) send(pair, 1);
    await pair.receiver.transport.close();
    const before = pair.arrived.length;
    for (let count = 0; count < 20; count++) {
      send(pair, 1);
      await wait(pair, 5);
    }
    const more = pair.arrived.length - before;
    ensure(more === 0, `${more} messages were delivered after close`);
  },

  async "close in the middle of sending ends, and sends and closes after it do nothing"(pair) {
    const { transport } = pair.sender;
    const gone = await pair.fixture.gone();
    for (let term = 1; term <= 200; term++) {
      send(pair, term);
      send(pair, term, gone);
    }
    await transport.close();
    send(pair, 999);
    await transport.close();
    await wait(pair, 50);
    ensure(!terms(pair.arrived).has(999), "a closed transport sent");
  },
};

/** The suite, over transports that `fixture` makes; each check asks for a new one. */
export function transportConformance(
  fixture: () => Promise<TransportFixture> | TransportFixture,
): readonly TransportConformanceTest[] {
  return Object.entries(checks).map(([name, check]) => ({
    name,
    run: async () => {
      const made = await fixture();
      try {
        const [sender, receiver] = [await made.open(), await made.open()];
        const arrived: Envelope[] = [];
        await sender.transport.start(() => {});
        await receiver.transport.start((envelope) => void arrived.push(envelope));
        await check({ fixture: made, sender, receiver, arrived });
      } finally {
        await made.close();
      }
    },
  }));
}
