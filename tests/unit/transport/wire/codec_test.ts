import assert from "node:assert/strict";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { RaftError } from "../../../../lib/errors.ts";
import { encodeMembership, membershipOf } from "../../../../lib/raft/membership.ts";
import { sampleEnvelope, sampleMessages } from "../../../../transport/conformance.ts";
import { decodeEnvelope, encodeEnvelope, envelopeSize, MAX_CHUNK_BYTES } from "../../../../transport/wire/codec.ts";
import { EntryType, EnvelopeSchema } from "../../../../transport/wire/gen/raft/v1/peer_pb.ts";
import { membershipToWire } from "../../../../transport/wire/membership_codec.ts";

type WireMessage = NonNullable<MessageInitShape<typeof EnvelopeSchema>["message"]>;

const identity = { protocolVersion: 1, clusterId: "c", from: "n1", fromIncarnation: "i", to: "n2", toIncarnation: "j" };
const voter = { id: "n1", address: "h:1", incarnation: "i" };

/** The bytes of an envelope that no node of ours would send. */
function foreign(message: WireMessage, changed: MessageInitShape<typeof EnvelopeSchema> = {}): Uint8Array {
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, { ...identity, message, ...changed }));
}

function assertMalformed(bytes: Uint8Array, what: RegExp): void {
  assert.throws(() => decodeEnvelope(bytes), (error) => {
    assert.ok(error instanceof RaftError, String(error));
    assert.equal(error.code, "invalid_argument");
    assert.equal(error.outcome, "rejected");
    assert.match(error.message, what);
    return true;
  });
}

const vote = (term: bigint): WireMessage => ({ case: "requestVote", value: { term } });

const append = (
  fields: Extract<WireMessage, { case: "appendEntries" }>["value"],
): WireMessage => ({ case: "appendEntries", value: { term: 5n, ...fields } as typeof fields });

const command = (index: bigint, term = 5n) => ({ index, term, type: EntryType.COMMAND, data: new Uint8Array([1]) });

const chunk = (fields: { size?: bigint; offset?: bigint; data?: Uint8Array; index?: bigint; id?: string } = {}) => ({
  case: "installSnapshot" as const,
  value: {
    term: 5n,
    offset: fields.offset ?? 0n,
    data: fields.data ?? new Uint8Array(0),
    snapshot: {
      id: fields.id ?? "s",
      index: fields.index ?? 3n,
      term: 2n,
      size: fields.size ?? 10n,
      membership: membershipToWire(membershipOf({ voters: [voter] })),
    },
  },
});

Deno.test("codec: every message survives encoding and decoding, even with the largest numbers", () => {
  for (const message of sampleMessages()) {
    const envelope = sampleEnvelope(message);
    assert.deepEqual(decodeEnvelope(encodeEnvelope(envelope)), envelope);
  }
});

Deno.test("codec: the size that limits count by is close to the size on the wire", () => {
  for (const message of sampleMessages()) {
    const envelope = sampleEnvelope(message);
    const [counted, real] = [envelopeSize(envelope), encodeEnvelope(envelope).length];
    assert.ok(counted >= real / 2 && counted <= real + 600, `${message.type}: counted ${counted}, really ${real}`);
  }
});

Deno.test("codec: numbers up to 2^53 - 1 are taken, larger ones refused, wherever they stand", () => {
  const largest = BigInt(Number.MAX_SAFE_INTEGER);
  assert.equal(decodeEnvelope(foreign(vote(largest))).message.term, Number.MAX_SAFE_INTEGER);
  for (const large of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
    const messages: WireMessage[] = [
      vote(large),
      { case: "requestVote", value: { lastLogIndex: large } },
      { case: "requestVote", value: { lastLogTerm: large } },
      { case: "requestVoteResponse", value: { term: large } },
      append({ prevLogIndex: large }),
      append({ prevLogTerm: large }),
      append({ leaderCommit: large }),
      append({ round: large }),
      append({ prevLogIndex: large - 1n, entries: [command(large)] }),
      append({ entries: [command(1n, large)] }),
      ...(["matchIndex", "prevLogIndex", "conflictIndex", "conflictTerm", "round"] as const).map(
        (field): WireMessage => ({ case: "appendEntriesResponse", value: { [field]: large } }),
      ),
      chunk({ size: large }),
      chunk({ offset: large }),
      chunk({ index: large }),
      { case: "installSnapshotResponse", value: { snapshotId: "s", status: 1, offset: large } },
      { case: "installSnapshotResponse", value: { snapshotId: "s", status: 1, matchIndex: large } },
      { case: "timeoutNow", value: { term: large } },
    ];
    for (const message of messages) assertMalformed(foreign(message), /out of range/);
  }
});

Deno.test("codec: an entry whose index would pass 2^53 - 1 is refused", () => {
  const largest = BigInt(Number.MAX_SAFE_INTEGER);
  const entries = [command(largest), command(largest + 1n)];
  assertMalformed(foreign(append({ prevLogIndex: largest - 1n, entries })), /out of range/);
});

Deno.test("codec: bytes that are not an envelope are refused", () => {
  const good = encodeEnvelope(sampleEnvelope(sampleMessages()[5]!));
  assertMalformed(new Uint8Array([0xff, 0xff, 0xff]), /cut off/);
  assertMalformed(good.subarray(0, good.length - 3), /ends after its message/);
  // Only the decoder looks at the text of strings.
  assertMalformed(new Uint8Array([0x1a, 1, 0xff]), /not an envelope/);
  assertMalformed(new Uint8Array(0), /empty/);
});

Deno.test("codec: a message of no known type is refused", () => {
  assertMalformed(foreign({ case: undefined }), /type is missing or unknown/);
});

Deno.test("codec: sender and receiver must be named, and names have a limit", () => {
  assertMalformed(foreign(vote(1n), { from: "" }), /from is empty/);
  assertMalformed(foreign(vote(1n), { to: "" }), /to is empty/);
  for (const field of ["from", "to", "clusterId", "fromIncarnation", "toIncarnation"] as const) {
    assertMalformed(foreign(vote(1n), { [field]: "x".repeat(257) }), /longer than 256/);
  }
  assertMalformed(foreign(vote(1n), { fromAddress: "x".repeat(1025) }), /longer than 1024/);
});

Deno.test("codec: entries follow prevLogIndex one by one, and their terms never go down (§5.3)", () => {
  assert.ok(decodeEnvelope(foreign(append({ prevLogIndex: 4n, prevLogTerm: 2n, entries: [command(5n, 2n)] }))));
  assertMalformed(foreign(append({ entries: [command(0n)] })), /must not be 0/);
  assertMalformed(foreign(append({ prevLogIndex: 4n, entries: [command(6n)] })), /where 5 should be/);
  assertMalformed(foreign(append({ prevLogIndex: 4n, entries: [command(5n), command(5n)] })), /where 6 should be/);
  assertMalformed(foreign(append({ entries: [command(1n, 3n), command(2n, 2n)] })), /has term 2/);
  assertMalformed(foreign(append({ prevLogIndex: 1n, prevLogTerm: 4n, entries: [command(2n, 3n)] })), /has term 3/);
  assertMalformed(foreign(append({ entries: [command(1n, 6n)] })), /has term 6/);
});

Deno.test("codec: an entry has a known type, and data that fits it", () => {
  const entry = (type: number, data: Uint8Array) =>
    foreign(append({ entries: [{ index: 1n, term: 5n, type: type as EntryType, data }] }));
  const membership = encodeMembership(membershipOf({ voters: [voter] }));
  assert.ok(decodeEnvelope(entry(EntryType.MEMBERSHIP, membership)));
  assertMalformed(entry(EntryType.UNSPECIFIED, membership), /type is unknown: 0/);
  assertMalformed(entry(99, membership), /type is unknown: 99/);
  assertMalformed(entry(EntryType.NOOP, new Uint8Array([1])), /noop has data/);
  assertMalformed(entry(EntryType.MEMBERSHIP, new Uint8Array([1])), /not a membership/);
});

Deno.test("codec: a chunk lies within its snapshot, and has a limit", () => {
  assert.ok(decodeEnvelope(foreign(chunk({ offset: 4n, data: new Uint8Array(6) }))));
  assertMalformed(foreign(chunk({ offset: 5n, data: new Uint8Array(6) })), /ends after its snapshot/);
  const large = new Uint8Array(MAX_CHUNK_BYTES + 1);
  assertMalformed(foreign(chunk({ size: 2n ** 30n, data: large })), /is over 262144/);
});

Deno.test("codec: a snapshot has an id, an index and a membership whose parts agree", () => {
  assertMalformed(foreign(chunk({ id: "" })), /id is empty/);
  assertMalformed(foreign(chunk({ index: 0n })), /must not be 0/);
  assertMalformed(foreign({ case: "installSnapshot", value: { term: 1n } }), /snapshot is missing/);
  const bare = { id: "s", index: 1n };
  assertMalformed(foreign({ case: "installSnapshot", value: { snapshot: bare } }), /membership is missing/);
  for (const membership of [{}, { voters: ["n1"] }, { voters: ["n1", "n1"], members: [voter] }]) {
    const snapshot = { ...bare, membership };
    assertMalformed(foreign({ case: "installSnapshot", value: { snapshot } }), /not a membership/);
  }
});

Deno.test("codec: a snapshot response has a known status", () => {
  for (const status of [0, 9]) {
    const value = { snapshotId: "s", status: status as 1 };
    assertMalformed(foreign({ case: "installSnapshotResponse", value }), /status is unknown/);
  }
});
