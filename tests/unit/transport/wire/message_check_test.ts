import assert from "node:assert/strict";
import { create, type DescMessage, fromBinary, toBinary, toJsonString } from "@bufbuild/protobuf";
import { RaftError } from "../../../../lib/errors.ts";
import { decodeMembership, encodeMembership, membershipOf } from "../../../../lib/raft/membership.ts";
import { sampleEnvelope, sampleMessages } from "../../../../transport/conformance.ts";
import { envelopeToWire } from "../../../../transport/wire/codec.ts";
import { file_raft_v1_admin } from "../../../../transport/wire/gen/raft/v1/admin_pb.ts";
import { file_raft_v1_client } from "../../../../transport/wire/gen/raft/v1/client_pb.ts";
import { file_raft_v1_kv } from "../../../../transport/wire/gen/raft/v1/kv_pb.ts";
import { file_raft_v1_peer } from "../../../../transport/wire/gen/raft/v1/peer_pb.ts";
import { file_raft_v1_relay } from "../../../../transport/wire/gen/raft/v1/relay_pb.ts";
import { ChangeMembershipRequestSchema } from "../../../../transport/wire/gen/raft/v1/admin_pb.ts";
import { ProposeRequestSchema } from "../../../../transport/wire/gen/raft/v1/client_pb.ts";
import { DeleteRequestSchema, GetRequestSchema } from "../../../../transport/wire/gen/raft/v1/kv_pb.ts";
import { PacketSchema } from "../../../../transport/wire/gen/raft/v1/packet_pb.ts";
import { SendRequestSchema, StreamRequestSchema } from "../../../../transport/wire/gen/raft/v1/peer_pb.ts";
import {
  AnnounceRequestSchema,
  AttachRequestSchema,
  ForwardRequestSchema,
} from "../../../../transport/wire/gen/raft/v1/relay_pb.ts";
import { checkJson, checkMessage, MAX_COMMANDS, MAX_FIELDS } from "../../../../transport/wire/message_check.ts";

/** Returns `count` times the same bytes. */
function times(count: number, ...bytes: number[]): Uint8Array {
  const all = new Uint8Array(count * bytes.length);
  for (let at = 0; at < all.length; at += bytes.length) all.set(bytes, at);
  return all;
}

/** Returns a delimited field. */
function field(number: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  const size = [length & 127 | 128, length >>> 7 & 127 | 128, length >>> 14 & 127 | 128, length >>> 21];
  return new Uint8Array([number << 3 | 2, ...size, ...content]);
}

const text = (json: string): Uint8Array => new TextEncoder().encode(json);

function refuses(code: string, check: () => void, what: RegExp): void {
  assert.throws(check, (error) => {
    assert.ok(error instanceof RaftError, String(error));
    assert.equal(error.code, code);
    assert.equal(error.outcome, "rejected");
    assert.match(error.message, what);
    assert.doesNotMatch(String(error.stack), /\n\s+at |@file/, "no stack");
    return true;
  });
}

Deno.test("a message has at most so many elements of a kind, wherever they are", () => {
  const entries = (count: number) => field(12, times(count, 0x22, 0));
  const cases: readonly [DescMessage, Uint8Array, RegExp][] = [
    [SendRequestSchema, times(1025, 0x0a, 0), /at most 1024 envelopes/],
    [StreamRequestSchema, times(1025, 0x0a, 0), /at most 1024 envelopes/],
    [SendRequestSchema, field(1, entries(65_537)), /at most 65536 entries/],
    // Spread over several messages, or over parts of one that the decoder would merge.
    [SendRequestSchema, new Uint8Array([...field(1, entries(40_000)), ...field(1, entries(40_000))]), /65536 entries/],
    [
      SendRequestSchema,
      field(1, new Uint8Array([...entries(40_000), ...entries(40_000)])),
      /65536 entries/,
    ],
    [SendRequestSchema, field(1, field(14, field(3, field(4, times(4097, 0x0a, 0))))), /4096 voters/],
    [ProposeRequestSchema, times(MAX_COMMANDS + 1, 0x0a, 0), /at most 4096 commands/],
    [ChangeMembershipRequestSchema, times(1025, 0x12, 0), /at most 1024 learners/],
    [AnnounceRequestSchema, times(65, 0x12, 0), /at most 64 addresses/],
    [AttachRequestSchema, times(65, 0x12, 0), /at most 64 addresses/],
    [ForwardRequestSchema, times(4097, 0x12, 0), /at most 4096 packets/],
    [PacketSchema, field(3, entries(65_537)), /at most 65536 entries/],
    // Fields that are no element of a list: unknown ones, and one that comes again and again.
    [GetRequestSchema, times(MAX_FIELDS + 1, 0x78, 0), /at most 262144 fields/],
    [GetRequestSchema, times(MAX_FIELDS + 1, 0x10, 1), /at most 262144 fields/],
  ];
  for (const [desc, bytes, what] of cases) refuses("too_large", () => checkMessage(desc, bytes), what);
  checkMessage(SendRequestSchema, times(1024, 0x0a, 0));
  checkMessage(SendRequestSchema, field(1, entries(65_536)));
  checkMessage(ProposeRequestSchema, times(MAX_COMMANDS, 0x0a, 0));
});

Deno.test("the check ends at the element over the limit, and makes no object of any", () => {
  let reads = 0;
  const bytes = new Proxy(times(4_000_000, 0x0a, 0), {
    get(target, property) {
      if (typeof property === "string" && /^\d+$/.test(property)) reads++;
      return Reflect.get(target, property);
    },
  });
  refuses("too_large", () => checkMessage(ProposeRequestSchema, bytes), /4096 commands/);
  assert.ok(reads <= 2 * (MAX_COMMANDS + 1), `${reads} bytes were read`);
});

Deno.test("broken messages are refused where they break", () => {
  const cases: readonly [readonly number[], RegExp][] = [
    [[0x0a], /cut off/],
    [[0x0a, 5, 1], /ends after its message/],
    [[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], /ends after its message/],
    [[0x10, ...new Array(10).fill(0xff), 1], /too long/],
    [[0x00, 1], /type of a field/],
    [[0x0d, 1, 2, 3, 4], /type of a field/],
    [[0x7d, 1, 2], /ends after its message/],
    // Groups, which nest without end.
    [new Array(200_000).fill(0x1b), /type of a field/],
    // Tags and lengths whose last 32 bits say something else.
    [[0x8a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0], /too long/],
    [[0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0x0a, 0], /too long/],
  ];
  for (const [bytes, what] of cases) {
    refuses("invalid_argument", () => checkMessage(GetRequestSchema, new Uint8Array(bytes)), what);
  }
  refuses(
    "invalid_argument",
    () => checkMessage(SendRequestSchema, field(1, field(3, new Uint8Array(65_537)))),
    /from is longer than 65536/,
  );
});

Deno.test("every message of the protocol passes, in both forms", () => {
  const envelopes = sampleMessages().map((message) => envelopeToWire(sampleEnvelope(message)));
  const message = create(StreamRequestSchema, { envelopes, ack: 2 ** 32 - 1 });
  const bytes = toBinary(StreamRequestSchema, message);
  checkMessage(StreamRequestSchema, bytes);
  assert.equal(fromBinary(StreamRequestSchema, bytes).envelopes.length, envelopes.length);
  checkJson(StreamRequestSchema, text(toJsonString(StreamRequestSchema, message)));
  const largest = create(DeleteRequestSchema, { key: new Uint8Array(3), ifVersion: 2n ** 64n - 1n });
  checkMessage(DeleteRequestSchema, toBinary(DeleteRequestSchema, largest));
  checkJson(DeleteRequestSchema, text(toJsonString(DeleteRequestSchema, largest)));
});

Deno.test("no message contains itself, so nesting has an end", () => {
  const depth = (desc: DescMessage, above: readonly DescMessage[] = []): void => {
    assert.ok(!above.includes(desc), `${desc.typeName} contains itself`);
    for (const { message } of desc.fields) if (message !== undefined) depth(message, [...above, desc]);
  };
  for (
    const file of [file_raft_v1_admin, file_raft_v1_client, file_raft_v1_kv, file_raft_v1_peer, file_raft_v1_relay]
  ) {
    for (const message of file.messages) depth(message);
  }
});

Deno.test("JSON has the same limits, and is measured before it is parsed", () => {
  const commands = (count: number): string => `{"commands":[${new Array(count).fill('""').join(",")}]}`;
  refuses(
    "too_large",
    () => checkJson(ProposeRequestSchema, text(commands(MAX_COMMANDS + 1))),
    /at most 4096 commands/,
  );
  refuses("too_large", () => checkJson(ProposeRequestSchema, text(commands(100_000))), /at most 16384 values in JSON/);
  checkJson(ProposeRequestSchema, text(commands(MAX_COMMANDS)));
  refuses(
    "too_large",
    () => checkJson(ProposeRequestSchema, text(`${"[".repeat(20)}${"{},".repeat(20_000)}`)),
    /values/,
  );
  refuses("invalid_argument", () => checkJson(GetRequestSchema, text("[".repeat(100_000))), /nests deeper/);
  refuses("invalid_argument", () => checkJson(GetRequestSchema, text('{"a":'.repeat(100_000))), /nests deeper/);
  // A long number takes more than linear time, as text too.
  const digits = "9".repeat(1_000_000);
  refuses(
    "invalid_argument",
    () => checkJson(DeleteRequestSchema, text(`{"ifVersion":${digits}}`)),
    /number is longer/,
  );
  for (const name of ["ifVersion", "if_version"]) {
    const json = text(`{"${name}":"${digits}"}`);
    refuses("invalid_argument", () => checkJson(DeleteRequestSchema, json), /if_version is longer/);
  }
  const from = text(`{"envelopes":[{"from":"${"x".repeat(65_537)}"}]}`);
  refuses("invalid_argument", () => checkJson(SendRequestSchema, from), /from is longer/);
  for (const json of ["", "{", '{"key":"}', '{"key":"\\"', "nul"]) {
    refuses("invalid_argument", () => checkJson(GetRequestSchema, text(json)), /not JSON/);
  }
  // A string that ends with backslashes ends there, and no quote behind one ends it.
  for (const key of ["\\\\", "\\\\\\\\", '\\"', '\\\\\\",']) {
    const json = text(`{"key":"${key}","x":[${"1,".repeat(20_000)}1]}`);
    refuses("too_large", () => checkJson(GetRequestSchema, json), /values in JSON/);
  }
  // Quoted brackets, commas and quotes are text; bytes may be long.
  checkJson(GetRequestSchema, text(`{"key":"${'[{,\\\\\\"'.repeat(30_000)}"}`));
});

Deno.test("a membership of many ids is checked in linear time", () => {
  // With a lookup in a list for each, this would take minutes.
  const members = (prefix: string) =>
    Array.from({ length: 60_000 }, (_, at) => ({ id: `${prefix}${at}`, address: "", incarnation: "" }));
  const bytes = encodeMembership(membershipOf({ voters: members("v"), learners: members("w") }));
  assert.equal(decodeMembership(bytes).members.length, 120_000);
});
