/**
 * Checks of values that arrive from outside.
 */

import { RaftError, withoutStack } from "../../lib/errors.ts";

/** The longest id of a node, cluster, incarnation or snapshot that is accepted, in UTF-16 code units. */
export const MAX_ID_LENGTH = 256;

/** The longest address that is accepted. */
export const MAX_ADDRESS_LENGTH = 1024;

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** Returns the error for a malformed message. It has no stack: the sender decides how many there are. */
export function malformed(what: string): RaftError {
  return withoutStack(() => new RaftError("invalid_argument", `malformed message: ${what}`));
}

/** Reads a message, or a part of one. @throws {RaftError} that of `read`; `invalid_argument` for another error of it */
export function wellFormed<T>(what: string, read: () => T): T {
  try {
    return withoutStack(read);
  } catch (cause) {
    if (cause instanceof RaftError) throw cause;
    throw withoutStack(() => new RaftError("invalid_argument", `malformed message: not ${what}`, { cause }));
  }
}

/** Converts a 64-bit number to a safe integer. @throws {RaftError} `invalid_argument` if it is over 2^53 − 1 */
export function safeInteger(value: bigint, what: string): number {
  if (value < 0n || value > MAX_SAFE) throw malformed(`${what} is out of range: ${value}`);
  return Number(value);
}

/** Converts the named numbers of a message to 64-bit ones. */
export function bigIntegers<Name extends string>(
  message: Readonly<Record<NoInfer<Name>, number>>,
  names: readonly Name[],
): Record<Name, bigint> {
  const converted = {} as Record<Name, bigint>;
  for (const name of names) converted[name] = BigInt(message[name]);
  return converted;
}

/** Converts the named 64-bit numbers of a message to safe integers. @throws {RaftError} `invalid_argument` if one is over 2^53 − 1 */
export function safeIntegers<Name extends string>(
  message: Readonly<Record<NoInfer<Name>, bigint>>,
  names: readonly Name[],
): Record<Name, number> {
  const converted = {} as Record<Name, number>;
  for (const name of names) converted[name] = safeInteger(message[name], name);
  return converted;
}

/** Converts a log index that names an entry. @throws {RaftError} `invalid_argument` for 0 and what is over 2^53 − 1 */
export function entryIndex(value: bigint, what: string): number {
  if (value === 0n) throw malformed(`${what} must not be 0`);
  return safeInteger(value, what);
}

/** Returns a string that is not too long. @throws {RaftError} `invalid_argument` */
export function shortString(value: string, limit: number, what: string): string {
  if (value.length > limit) throw malformed(`${what} is longer than ${limit}`);
  return value;
}

/** Returns an id, which must not be empty. @throws {RaftError} `invalid_argument` */
export function idString(value: string, what: string): string {
  if (value === "") throw malformed(`${what} is empty`);
  return shortString(value, MAX_ID_LENGTH, what);
}

/** Returns a part that must be there. @throws {RaftError} `invalid_argument` */
export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw malformed(`${what} is missing`);
  return value;
}

/** Reads an answer. If it can't be read, the outcome of the request is unknown. @throws {RaftError} `internal` */
export function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new RaftError("internal", "the answer is malformed", { outcome: "unknown", cause });
  }
}
