/**
 * Bytes over HTTP: percent-encoded keys, values in JSON.
 */

import { Buffer } from "node:buffer";
import { concatBytes } from "../lib/bytes.ts";
import { RaftError } from "../lib/errors.ts";
import type { KeyValueChange } from "../lib/kv/watch.ts";

const LINE_FEED = 10;

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Percent-decodes to bytes, which need not be UTF-8: `%FF` is the byte 255.
 *
 * @throws {RaftError} `invalid_argument` for a `%` without two hexadecimal digits.
 */
export function percentDecode(text: string): Uint8Array {
  // Every second part is the two digits of an escape.
  const parts = text.split(/%([0-9a-f]{2})/i).map((part, at) => {
    if (at % 2 === 1) return Uint8Array.of(parseInt(part, 16));
    if (!part.includes("%")) return encoder.encode(part);
    const quoted = JSON.stringify(text.slice(0, 100));
    throw new RaftError("invalid_argument", `a "%" in ${quoted} is not followed by two hexadecimal digits`);
  });
  return concatBytes(parts);
}

/** Returns a parameter of the query string as bytes; `null` if it is missing. `+` is a plus. */
export function queryBytes(url: URL, name: string): Uint8Array | null {
  for (const part of url.search.slice(1).split("&")) {
    if (part === name) return new Uint8Array(0);
    if (part.startsWith(`${name}=`)) return percentDecode(part.slice(name.length + 1));
  }
  return null;
}

/** Returns `{name: text}` for UTF-8, else `{nameBase64: …}`: JSON has no bytes. */
export function jsonBytes(name: string, bytes: Uint8Array): Record<string, string> {
  try {
    return { [name]: strictDecoder.decode(bytes) };
  } catch {
    return { [`${name}Base64`]: Buffer.from(bytes).toString("base64") };
  }
}

/** Returns the document of an entry or a change; without a value if that is `null`. */
export function jsonEntry({ key, value, version }: Omit<KeyValueChange, "type">): Record<string, unknown> {
  return { ...jsonBytes("key", key), ...(value === null ? {} : jsonBytes("value", value)), version };
}

/** Returns a value as JSON on a line, in UTF-8. A large one is not copied more often than it has to be. */
export function jsonLine(content: unknown): Uint8Array<ArrayBuffer> {
  const text = JSON.stringify(content);
  const line = new Uint8Array(text.length + 1);
  const { read, written } = encoder.encodeInto(text, line);
  if (read < text.length || written > text.length) return encoder.encode(`${text}\n`);
  // All of it is ASCII.
  line[written] = LINE_FEED;
  return line;
}
