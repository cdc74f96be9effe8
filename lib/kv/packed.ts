/**
 * Keys and values in memory.
 *
 * A key is a string with one character a byte: such strings compare in byte
 * order, and a JavaScript engine compares them far faster than arrays. Small
 * values are kept the same way, because a typed array of 100 bytes takes some
 * 500 more in V8.
 */

import type { ByteWriter } from "../bytes.ts";

/** Bytes as kept in memory. Never changed once made. */
export type Packed = string | Uint8Array;

/** Values up to here are kept as strings. */
const STRING_MAX_BYTES = 256;

/** One character a byte. For at most a few thousand bytes: they become arguments of one call. */
export function binaryString(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

/** The bytes of a {@linkcode binaryString}. */
export function binaryBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Copies a value for keeping. */
export function pack(value: Uint8Array): Packed {
  return value.length <= STRING_MAX_BYTES ? binaryString(value) : value.slice();
}

/** A copy of a kept value. */
export function unpack(value: Packed): Uint8Array {
  return typeof value === "string" ? binaryBytes(value) : value.slice();
}

/** Writes a length and the bytes. */
export function writePacked(writer: ByteWriter, value: Packed): void {
  if (typeof value === "string") writer.binary(value);
  else writer.bytes(value);
}
