/**
 * The messages of a BroadcastChannel: packets, and the presence of peers.
 */

import { MAX_ADDRESS_LENGTH, MAX_ID_LENGTH } from "../wire/checked.ts";

/** "I am here." */
export interface Hello {
  readonly kind: "hello";
  /** True if the sender holds a lock of its session's name for as long as it lives. */
  readonly locked: boolean;
  /** True if the receiver must answer with a hello. */
  readonly answer: boolean;
}

/** The part of a frame that depends on its kind. */
export type FrameBody =
  | Hello
  /** "I am about to go." */
  | { readonly kind: "goodbye" }
  /** A packet, or none for a mere request to acknowledge, which has a number other than 0. */
  | { readonly kind: "packet"; readonly packet: Uint8Array | null; readonly ackRequest: number }
  /** "I have read everything up to the frame with this request." */
  | { readonly kind: "ack"; readonly ack: number };

/** One message of a channel. */
export type Frame = FrameBody & {
  /** The version of frames. */
  readonly raftCore: typeof FRAME_VERSION;
  /** The address of the receiver; empty for everyone. */
  readonly to: string;
  readonly from: string;
  /** A random name for this life of the sender. */
  readonly session: string;
};

/** Frames of another version are not read. */
export const FRAME_VERSION = 1;

/** Returns what arrived as a frame; `null` if it is not one. */
export function frameOf(data: unknown): Frame | null {
  if (typeof data !== "object" || data === null) return null;
  const frame = data as Partial<Record<string, unknown>>;
  if (frame["raftCore"] !== FRAME_VERSION) return null;
  if (!isShort(frame["to"], MAX_ADDRESS_LENGTH) || !isShort(frame["from"], MAX_ADDRESS_LENGTH)) return null;
  if (frame["from"] === "" || !isShort(frame["session"], MAX_ID_LENGTH)) return null;
  return isBody(frame) ? data as Frame : null;
}

function isBody({ kind, locked, answer, packet, ackRequest, ack }: Partial<Record<string, unknown>>): boolean {
  switch (kind) {
    case "hello":
      return typeof locked === "boolean" && typeof answer === "boolean";
    case "goodbye":
      return true;
    case "packet":
      return (packet === null || packet instanceof Uint8Array) && typeof ackRequest === "number";
    case "ack":
      return typeof ack === "number";
    default:
      return false;
  }
}

function isShort(value: unknown, limit: number): boolean {
  return typeof value === "string" && value.length <= limit;
}
