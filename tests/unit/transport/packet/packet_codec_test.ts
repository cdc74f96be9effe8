import assert from "node:assert/strict";
import { RaftError } from "../../../../lib/errors.ts";
import { sampleEnvelope, sampleMessages } from "../../../../transport/conformance.ts";
import { decodePacket, encodePacket, type Packet } from "../../../../transport/packet/packet_codec.ts";

const bytes = new Uint8Array([1, 2, 3]);

function packetOf(body: Packet["body"]): Packet {
  return { to: "tab:n2", from: "tab:n1", body };
}

Deno.test("packets of every kind survive encoding and decoding", () => {
  const bodies: Packet["body"][] = [
    ...sampleMessages().map((message) => ({ type: "envelope" as const, envelope: sampleEnvelope(message) })),
    { type: "call", id: 0, method: "a.B/C", request: bytes },
    { type: "call", id: 0xffffffff, method: "a.B/C", request: new Uint8Array(0) },
    { type: "answer", id: 7, outcome: bytes },
    { type: "answer", id: 7, outcome: new Uint8Array(0) },
  ];
  for (const body of bodies) assert.deepEqual(decodePacket(encodePacket(packetOf(body))), packetOf(body));
});

Deno.test("an error in an answer arrives whole", () => {
  const error = new RaftError("not_leader", "n2 leads", {
    outcome: "unknown",
    hint: "Ask n2.",
    leader: { id: "n2", address: "tab:n2" },
  });
  const { body } = decodePacket(encodePacket(packetOf({ type: "answer", id: 1, outcome: error })));
  assert.ok(body.type === "answer" && body.outcome instanceof RaftError);
  const { code, message, outcome, hint, leader } = body.outcome;
  assert.deepEqual({ code, message, outcome, hint, leader }, {
    code: error.code,
    message: error.message,
    outcome: error.outcome,
    hint: error.hint,
    leader: error.leader,
  });
});

Deno.test("a packet has a buffer of its own, which may be transferred", () => {
  const packet = encodePacket(packetOf({ type: "call", id: 1, method: "a.B/C", request: bytes }));
  assert.equal(packet.buffer.byteLength, packet.length);
});

Deno.test("bytes that are not a packet are refused", () => {
  const whole = encodePacket(packetOf({ type: "call", id: 1, method: "a.B/C", request: bytes }));
  const malformed: Uint8Array[] = [
    new Uint8Array(0),
    new Uint8Array([0xff, 0xff, 0xff]),
    whole.subarray(0, whole.length - 1),
    encodePacket({ ...packetOf({ type: "call", id: 1, method: "m", request: bytes }), from: "x".repeat(1025) }),
    encodePacket({ ...packetOf({ type: "call", id: 1, method: "m", request: bytes }), to: "x".repeat(1025) }),
    encodePacket(packetOf({ type: "call", id: 1, method: "x".repeat(257), request: bytes })),
    // An answer without an outcome; an envelope without a message.
    new Uint8Array([0x2a, 0x02, 0x08, 0x01]),
    new Uint8Array([0x1a, 0x02, 0x08, 0x01]),
  ];
  for (const packet of malformed) {
    assert.throws(
      () => decodePacket(packet),
      (error) => error instanceof RaftError && error.code === "invalid_argument",
      String(packet),
    );
  }
});
