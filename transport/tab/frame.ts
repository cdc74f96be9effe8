/**
 * What goes through a channel or a port: packets, and who is there.
 *
 * @module
 */

import { MAX_ADDRESS_LENGTH, MAX_ID_LENGTH } from "../wire/checked.ts";

/** "I am here." */
export interface Hello {
  readonly kind: "hello";
  /** Whether the sender holds a lock of its session's name, for as long as it lives. */
  readonly locked: boolean;
  /** Whether the receiver is to say that it is here, too. */
  readonly answer: boolean;
}

/** "I am about to go." */
export interface Goodbye {
  readonly kind: "goodbye";
}

/** A packet, or none; with a number, it wants an acknowledgement. */
export interface Parcel {
  readonly kind: "parcel";
  readonly packet: Uint8Array | null;
  /** The number to acknowledge, 0 for none. */
  readonly ask: number;
}

/** "I have read everything up to the one that asked so." */
export interface Ack {
  readonly kind: "ack";
  readonly ack: number;
}

/** Which one a frame is, and what it says. */
export type FrameBody = Hello | Goodbye | Parcel | Ack;

/** The receiver is readable without a look at the packet, for who passes frames on. */
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

/** What arrived, as a frame; `null` if it is none. */
export function frameOf(data: unknown): Frame | null {
  if (typeof data !== "object" || data === null) return null;
  const frame = data as Partial<Record<string, unknown>>;
  if (frame["raftCore"] !== FRAME_VERSION) return null;
  if (!isShort(frame["to"], MAX_ADDRESS_LENGTH) || !isShort(frame["from"], MAX_ADDRESS_LENGTH)) return null;
  if (frame["from"] === "" || !isShort(frame["session"], MAX_ID_LENGTH)) return null;
  return isBody(frame) ? data as Frame : null;
}

function isBody(frame: Partial<Record<string, unknown>>): boolean {
  switch (frame["kind"]) {
    case "hello":
      return typeof frame["locked"] === "boolean" && typeof frame["answer"] === "boolean";
    case "goodbye":
      return true;
    case "parcel":
      return (frame["packet"] === null || frame["packet"] instanceof Uint8Array) && typeof frame["ask"] === "number";
    case "ack":
      return typeof frame["ack"] === "number";
    default:
      return false;
  }
}

function isShort(value: unknown, limit: number): boolean {
  return typeof value === "string" && value.length <= limit;
}
