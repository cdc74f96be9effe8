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
  /** An address at which connections are taken and nothing is ever answered. */
  hanging(): Promise<{ readonly address: string; close(): Promise<void> }>;
  /** Resolves when the condition holds; rejects if it does not within some seconds. */
  until(condition: () => boolean, what: string): Promise<void>;
  /** Lets so much time pass. */
  pause(durationMs: number): Promise<void>;
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

/** A check, before it is given a transport to try. */
interface Check {
  readonly name: string;
  run(fixture: TransportFixture): Promise<void>;
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
  const made = new Uint8Array(length);
  for (let i = 0; i < length; i++) made[i] = (i * 31 + (i >>> 8)) & 0xff;
  return made;
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

/** Sends now and then until the condition holds: a message may be lost, all of them may not. */
async function persistently(fixture: TransportFixture, send: () => void, condition: () => boolean, what: string) {
  for (let attempt = 0; attempt < 200 && !condition(); attempt++) {
    send();
    await fixture.pause(25);
  }
  await fixture.until(condition, what);
}

function check(name: string, body: (pair: Pair) => Promise<void>): Check {
  return {
    name,
    async run(fixture) {
      const sender = await fixture.open();
      const receiver = await fixture.open();
      const arrived: Envelope[] = [];
      await sender.transport.start(() => {});
      await receiver.transport.start((envelope) => void arrived.push(envelope));
      await body({ fixture, sender, receiver, arrived });
    },
  };
}

/** Sends each message until it arrives, and demands that it arrives unaltered. */
async function roundTrip({ fixture, sender, receiver, arrived }: Pair, envelopes: readonly Envelope[]): Promise<void> {
  for (const envelope of envelopes) {
    const came = () => arrived.some((other) => alike(other, envelope));
    const send = () => sender.transport.send(receiver.address, envelope);
    await persistently(fixture, send, came, `a ${envelope.message.type} arrives unaltered`);
  }
  const strange = arrived.find((other) => !envelopes.some((envelope) => alike(other, envelope)));
  ensure(strange === undefined, `a ${strange?.message.type} arrived that was never sent so`);
}

/** The checks. Order of messages is not promised by a transport, so none asks for it. */
const checks: readonly Check[] = [
  check("every type of message arrives unaltered, with the largest numbers too", async (pair) => {
    await roundTrip(pair, sampleMessages().map((message) => sampleEnvelope(message)));
  }),

  check("identities arrive unchanged, even wrong ones: refusing them is the node's task", async (pair) => {
    await roundTrip(pair, [
      sampleEnvelope(numbered(1), { clusterId: "another cluster" }),
      sampleEnvelope(numbered(2), { clusterId: "", toIncarnation: "", fromIncarnation: "", fromAddress: "" }),
      sampleEnvelope(numbered(3), { to: "someone else", toIncarnation: "of someone else" }),
      sampleEnvelope(numbered(4), { from: "knoten-ä-節", protocolVersion: PROTOCOL_VERSION + 1 }),
    ]);
  }),

  check("a command of 1.5 MiB and snapshot chunks of 256 KiB arrive unaltered", async (pair) => {
    const snapshot = { id: "s", index: 9, term: 2, membership: joint, size: 2 ** 20, checksum: 1 };
    const data = bytes(1.5 * 2 ** 20);
    const chunk = bytes(2 ** 18);
    await roundTrip(pair, [
      sampleEnvelope({
        type: "AppendEntries",
        term: 3,
        prevLogIndex: 4,
        prevLogTerm: 3,
        entries: [{ index: 5, term: 3, type: "command", data }],
        leaderCommit: 4,
        round: 1,
      }),
      ...[0, 2 ** 18].map((offset) =>
        sampleEnvelope({ type: "InstallSnapshot", term: 3, round: 2, snapshot, offset, data: chunk })
      ),
    ]);
  }),

  check("many messages arrive, and nothing that was not sent", async ({ fixture, sender, receiver, arrived }) => {
    const missing = () => {
      const came = terms(arrived);
      return Array.from({ length: 500 }, (_, i) => i + 1).filter((term) => !came.has(term));
    };
    const sendSome = () => {
      for (const term of missing().slice(0, 50)) {
        sender.transport.send(receiver.address, sampleEnvelope(numbered(term)));
      }
    };
    await persistently(fixture, sendSome, () => missing().length === 0, "500 messages arrive, sent until they do");
    ensure(arrived.every(({ message }) => message.term <= 500), "a message arrived that was never sent");
  }),

  check("both directions work at once", async ({ fixture, sender, receiver, arrived }) => {
    const back: Envelope[] = [];
    const other = await fixture.open();
    await other.transport.start((envelope) => void back.push(envelope));
    await persistently(
      fixture,
      () => {
        other.transport.send(receiver.address, sampleEnvelope(numbered(1)));
        receiver.transport.send(other.address, sampleEnvelope(numbered(2)));
        sender.transport.send(other.address, sampleEnvelope(numbered(3)));
      },
      () => terms(arrived).has(1) && terms(back).has(2) && terms(back).has(3),
      "messages arrive both ways",
    );
  }),

  check(
    "a closed peer costs a drop, and delays no other",
    async ({ fixture, sender, receiver, arrived }) => {
      const gone = await fixture.gone();
      for (let term = 1; term <= 2000; term++) sender.transport.send(gone, sampleEnvelope(numbered(term)));
      await persistently(
        fixture,
        () => {
          sender.transport.send(gone, sampleEnvelope(numbered(1)));
          sender.transport.send(receiver.address, sampleEnvelope(numbered(7)));
        },
        () => terms(arrived).has(7),
        "a message to another peer arrives",
      );
    },
  ),

  check("a message to an invalid address is dropped", async ({ fixture, sender, receiver, arrived }) => {
    for (const address of ["", "no port here", "::::", "ftp://n1:1"]) {
      sender.transport.send(address, sampleEnvelope(numbered(1)));
    }
    await persistently(
      fixture,
      () => sender.transport.send(receiver.address, sampleEnvelope(numbered(7))),
      () => terms(arrived).has(7),
      "a message to a sound address arrives",
    );
  }),

  check("a peer that hangs delays neither other peers nor close", async ({ fixture, sender, receiver, arrived }) => {
    const hanging = await fixture.hanging();
    const large: Message = {
      type: "AppendEntries",
      term: 1,
      prevLogIndex: 0,
      prevLogTerm: 0,
      entries: [{ index: 1, term: 1, type: "command", data: bytes(2 ** 20) }],
      leaderCommit: 0,
      round: 0,
    };
    for (let count = 0; count < 100; count++) sender.transport.send(hanging.address, sampleEnvelope(large));
    await persistently(
      fixture,
      () => sender.transport.send(receiver.address, sampleEnvelope(numbered(7))),
      () => terms(arrived).has(7),
      "a message to another peer arrives",
    );
    await sender.close();
    await hanging.close();
  }),

  check("a peer that restarts at the same address is reached again", async ({ fixture, sender, receiver, arrived }) => {
    const send = (term: number) => () => sender.transport.send(receiver.address, sampleEnvelope(numbered(term)));
    await persistently(fixture, send(1), () => terms(arrived).has(1), "a message arrives before the restart");
    await receiver.close();
    send(2)();
    const again = await fixture.open(receiver.address);
    const later: Envelope[] = [];
    await again.transport.start((envelope) => void later.push(envelope));
    await persistently(fixture, send(3), () => terms(later).has(3), "a message arrives after the restart");
    ensure(!terms(arrived).has(3), "a closed transport delivered");
  }),

  check("nothing is delivered once close has resolved", async ({ fixture, sender, receiver, arrived }) => {
    const send = () => sender.transport.send(receiver.address, sampleEnvelope(numbered(1)));
    await persistently(fixture, send, () => arrived.length > 0, "a message arrives before the close");
    for (let count = 0; count < 200; count++) send();
    await receiver.transport.close();
    const before = arrived.length;
    for (let count = 0; count < 20; count++) {
      send();
      await fixture.pause(5);
    }
    ensure(arrived.length === before, `${arrived.length - before} messages were delivered after close`);
  }),

  check("close in the middle of sending ends, and sends and closes after it do nothing", async (pair) => {
    const { fixture, sender, receiver, arrived } = pair;
    const gone = await fixture.gone();
    for (let term = 1; term <= 200; term++) {
      sender.transport.send(receiver.address, sampleEnvelope(numbered(term)));
      sender.transport.send(gone, sampleEnvelope(numbered(term)));
    }
    await sender.transport.close();
    sender.transport.send(receiver.address, sampleEnvelope(numbered(999)));
    await sender.transport.close();
    await fixture.pause(50);
    ensure(!terms(arrived).has(999), "a closed transport sent");
  }),
];

/** The suite, over transports that `fixture` makes; each check asks for a new one. */
export function transportConformance(
  fixture: () => Promise<TransportFixture> | TransportFixture,
): readonly TransportConformanceTest[] {
  return checks.map(({ name, run }) => ({
    name,
    run: async () => {
      const made = await fixture();
      try {
        await run(made);
      } finally {
        await made.close();
      }
    },
  }));
}
