/**
 * Packets as bytes.
 */

import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { RaftError } from "../../lib/errors.ts";
import type { Envelope } from "../../lib/transport.ts";
import { malformed, MAX_ADDRESS_LENGTH, MAX_ID_LENGTH, present, shortString, wellFormed } from "../wire/checked.ts";
import { envelopeFromWire, envelopeToWire } from "../wire/codec.ts";
import { errorFromDetail, errorToDetail } from "../wire/error_detail.ts";
import { decodeMessage } from "../wire/message_check.ts";
import { type Answer as WireAnswer, type Packet as WirePacket, PacketSchema } from "../wire/gen/raft/v1/packet_pb.ts";

/** A unary call of a service. */
export interface Call {
  readonly type: "call";
  /** Names the call among those of its sender. */
  readonly id: number;
  /** Such as `raft.v1.ClientService/Propose`. */
  readonly method: string;
  /** The method's request, encoded. */
  readonly request: Uint8Array;
}

/** The result of a call. */
export interface Answer {
  readonly type: "answer";
  /** The call's. */
  readonly id: number;
  /** The method's response, encoded; or why there is none. */
  readonly outcome: Uint8Array | RaftError;
}

/** A message from one address to another. */
export interface Packet {
  /** The address of the receiver. */
  readonly to: string;
  /** The address of the sender, where an answer goes. */
  readonly from: string;
  readonly body: { readonly type: "envelope"; readonly envelope: Envelope } | Call | Answer;
}

/** Encodes one packet, in a buffer of its own. */
export function encodePacket({ to, from, body }: Packet): Uint8Array<ArrayBuffer> {
  return toBinary(PacketSchema, create(PacketSchema, { to, from, body: bodyToWire(body) }));
}

/**
 * Decodes the output of {@linkcode encodePacket}. The content consists of views of `bytes`.
 *
 * @throws {RaftError} `invalid_argument` for anything else
 */
export function decodePacket(bytes: Uint8Array): Packet {
  const wire = wellFormed("a packet", () => decodeMessage(PacketSchema, bytes));
  const to = shortString(wire.to, MAX_ADDRESS_LENGTH, "the receiver's address");
  const from = shortString(wire.from, MAX_ADDRESS_LENGTH, "the sender's address");
  return { to, from, body: bodyFromWire(wire.body) };
}

type WireBody = NonNullable<MessageInitShape<typeof PacketSchema>["body"]>;

function bodyToWire(body: Packet["body"]): WireBody {
  switch (body.type) {
    case "envelope":
      return { case: "envelope", value: envelopeToWire(body.envelope) };
    case "call":
      return { case: "call", value: body };
    case "answer": {
      const { id, outcome } = body;
      const value = outcome instanceof RaftError
        ? { case: "error" as const, value: errorToDetail(outcome) }
        : { case: "response" as const, value: outcome };
      return { case: "answer", value: { id, outcome: value } };
    }
  }
}

function bodyFromWire(wire: WirePacket["body"]): Packet["body"] {
  switch (wire.case) {
    case "envelope":
      return { type: "envelope", envelope: envelopeFromWire(wire.value) };
    case "call": {
      const { id, request } = wire.value;
      return { type: "call", id, method: shortString(wire.value.method, MAX_ID_LENGTH, "method"), request };
    }
    case "answer":
      return { type: "answer", id: wire.value.id, outcome: outcomeFromWire(wire.value.outcome) };
    case undefined:
      throw malformed("the content of the packet is missing or unknown");
  }
}

function outcomeFromWire(wire: WireAnswer["outcome"]): Uint8Array | RaftError {
  return wire.case === "error" ? errorFromDetail(wire.value) : present(wire.value, "the outcome of a call");
}
