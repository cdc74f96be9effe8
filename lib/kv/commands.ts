/**
 * The bytes of commands, queries and answers of the key-value state machine.
 *
 * Keys and values are bytes. Keys are ordered by their bytes; a text key means
 * its UTF-8, whose order is that of the code points.
 */

import { ByteReader, ByteWriter } from "../bytes.ts";

/** The largest size of a key in bytes; the smallest is 1. */
export const KEY_MAX_BYTES = 1024;
/** The largest size of a value in bytes; a value may be empty. */
export const VALUE_MAX_BYTES = 1.5 * 1024 * 1024;
/** The largest number of entries in the answer to a list. */
export const LIST_MAX_ENTRIES = 10_000;

/**
 * The condition of a write: the key's version, `0` for a key that must not exist, or
 * `"any"` for one that must. Without one the write is unconditional.
 */
export type ExpectedVersion = number | "any";

/** A change of the state. */
export interface KeyValueCommand {
  readonly key: Uint8Array;
  /** The new value; `null` to remove the key. */
  readonly value: Uint8Array | null;
  readonly expectedVersion: ExpectedVersion | undefined;
}

/** The query of one key. */
export interface GetQuery {
  readonly type: "get";
  readonly key: Uint8Array;
}

/** Asks for the keys that begin with `prefix`, in order. */
export interface ListQuery {
  /** Which query it is. */
  readonly type: "list";
  /** Empty for all keys. */
  readonly prefix: Uint8Array;
  /** Only keys after this one. */
  readonly startAfter?: Uint8Array | undefined;
  /** Entries, at most; more than {@linkcode LIST_MAX_ENTRIES} counts as that. @default 1000 */
  readonly limit?: number | undefined;
  /** Leaves the values out (they are empty then). @default false */
  readonly keysOnly?: boolean | undefined;
}

/** The error of a command or a query that was not executed because its bytes are invalid. */
export interface InvalidAnswer {
  /** It was not executed. */
  readonly ok: false;
  /** The kind of error: in the bytes or the key, or in the size. */
  readonly reason: "invalid" | "too_large";
  /** The error in words. */
  readonly message: string;
}

/** The result of a write. */
export type CompareResult =
  | {
    readonly ok: true;
    /** The log index of the change. */
    readonly version: number;
    /** The key's version before; 0 if it was not there. */
    readonly previousVersion: number;
  }
  | {
    readonly ok: false;
    /** The expected version is not the key's. Nothing changed. */
    readonly reason: "conflict";
    /** The key's version; 0 if it is not there. */
    readonly currentVersion: number;
  };

/** The answer to a command. */
export type WriteAnswer = CompareResult | InvalidAnswer;

/** A value with its version. */
export interface VersionedValue {
  /** The bytes that were put. */
  readonly value: Uint8Array;
  /** The log index of its last change. */
  readonly version: number;
}

/** A key with its value. */
export interface KeyValueEntry extends VersionedValue {
  /** The key. */
  readonly key: Uint8Array;
}

/** The answer to a {@linkcode GetQuery}. */
export type GetAnswer =
  | {
    readonly ok: true;
    /** `null` if the key is not there. */
    readonly entry: VersionedValue | null;
    /** The last command that this answer reflects. */
    readonly revision: number;
  }
  | InvalidAnswer;

/** The answer to a {@linkcode ListQuery}. */
export type ListAnswer =
  | {
    readonly ok: true;
    readonly entries: readonly KeyValueEntry[];
    /** True if there are more keys; continue with `startAfter` the last one. */
    readonly more: boolean;
    /** The last command that this answer reflects. */
    readonly revision: number;
  }
  | InvalidAnswer;

const PUT = 1;
const DELETE = 2;
const GET = 1;
const LIST = 2;

const ANY_CONDITION = 0;
const EXISTS_CONDITION = 1;
const VERSION_CONDITION = 2;

const OK = 0;
const CONFLICT = 1;
const INVALID = 2;
const TOO_LARGE = 3;

const START_AFTER_FLAG = 1;
const KEYS_ONLY_FLAG = 2;
const LIST_DEFAULT_ENTRIES = 1000;

/** Returns the problem with a key; `null` if it has 1 to {@linkcode KEY_MAX_BYTES} bytes. */
export function keyProblem(key: Uint8Array): InvalidAnswer | null {
  if (key.length > 0 && key.length <= KEY_MAX_BYTES) return null;
  return {
    ok: false,
    reason: key.length === 0 ? "invalid" : "too_large",
    message: `a key has 1 to ${KEY_MAX_BYTES} bytes`,
  };
}

/** Returns the problem with a value; `null` if it has up to {@linkcode VALUE_MAX_BYTES} bytes. */
export function valueProblem(value: Uint8Array): InvalidAnswer | null {
  if (value.length <= VALUE_MAX_BYTES) return null;
  return { ok: false, reason: "too_large", message: `a value has at most ${VALUE_MAX_BYTES} bytes` };
}

/** Returns the command that sets a value. @throws {RangeError} for an expected version that is no safe integer from 0 */
export function encodePut(key: Uint8Array, value: Uint8Array, expectedVersion?: ExpectedVersion): Uint8Array {
  return beginCommand(PUT, key, expectedVersion, value.length).bytes(value).finish();
}

/** Returns the command that removes a key. @throws {RangeError} as {@linkcode encodePut} */
export function encodeDelete(key: Uint8Array, expectedVersion?: ExpectedVersion): Uint8Array {
  return beginCommand(DELETE, key, expectedVersion, 0).finish();
}

function beginCommand(
  type: number,
  key: Uint8Array,
  expectedVersion: ExpectedVersion | undefined,
  valueLength: number,
): ByteWriter {
  const writer = new ByteWriter(key.length + valueLength + 32).byte(type);
  if (expectedVersion === undefined) writer.byte(ANY_CONDITION);
  else if (expectedVersion === "any") writer.byte(EXISTS_CONDITION);
  else writer.byte(VERSION_CONDITION).varint(expectedVersion);
  return writer.bytes(key);
}

/** Reads a command; key and value are views of `bytes`. @throws {RangeError} for anything else. */
export function decodeCommand(bytes: Uint8Array): KeyValueCommand {
  const reader = new ByteReader(bytes);
  const type = reader.byte();
  if (type !== PUT && type !== DELETE) throw new RangeError("no such command");
  const condition = reader.byte();
  if (condition > VERSION_CONDITION) throw new RangeError("no such condition");
  const expectedVersion = condition === ANY_CONDITION
    ? undefined
    : condition === EXISTS_CONDITION
    ? "any" as const
    : reader.varint();
  const key = reader.bytes();
  const value = type === PUT ? reader.bytes() : null;
  reader.end();
  return { key, value, expectedVersion };
}

/** Returns the query of one key. */
export function encodeGet(key: Uint8Array): Uint8Array {
  return new ByteWriter(key.length + 8).byte(GET).bytes(key).finish();
}

/** Returns the query of a list. */
export function encodeList(query: Omit<ListQuery, "type">): Uint8Array {
  const { prefix, startAfter, limit = LIST_DEFAULT_ENTRIES, keysOnly = false } = query;
  const flags = (startAfter === undefined ? 0 : START_AFTER_FLAG) + (keysOnly ? KEYS_ONLY_FLAG : 0);
  const writer = new ByteWriter().byte(LIST).byte(flags).varint(limit).bytes(prefix);
  if (startAfter !== undefined) writer.bytes(startAfter);
  return writer.finish();
}

/** Reads a query; its bytes are views. @throws {RangeError} for anything else. */
export function decodeQuery(bytes: Uint8Array): GetQuery | ListQuery {
  const reader = new ByteReader(bytes);
  const type = reader.byte();
  if (type === GET) {
    const key = reader.bytes();
    reader.end();
    return { type: "get", key };
  }
  if (type !== LIST) throw new RangeError("no such query");
  const flags = reader.byte();
  if (flags > START_AFTER_FLAG + KEYS_ONLY_FLAG) throw new RangeError("no such flag");
  const limit = reader.varint();
  const prefix = reader.bytes();
  const keysOnly = (flags & KEYS_ONLY_FLAG) !== 0;
  const startAfter = (flags & START_AFTER_FLAG) === 0 ? undefined : reader.bytes();
  reader.end();
  return { type: "list", prefix, limit, keysOnly, startAfter };
}

/** The bytes of the answer to a command. */
export function encodeWriteAnswer(answer: WriteAnswer): Uint8Array {
  if (answer.ok) return new ByteWriter(24).byte(OK).varint(answer.version).varint(answer.previousVersion).finish();
  if (answer.reason === "conflict") return new ByteWriter(16).byte(CONFLICT).varint(answer.currentVersion).finish();
  return encodeInvalid(answer);
}

/** Reads the answer to a command. @throws {RangeError} for anything else. */
export function decodeWriteAnswer(bytes: Uint8Array): WriteAnswer {
  const reader = new ByteReader(bytes);
  const status = reader.byte();
  if (status === OK) return { ok: true, version: reader.varint(), previousVersion: reader.varint() };
  if (status === CONFLICT) return { ok: false, reason: "conflict", currentVersion: reader.varint() };
  return decodeInvalid(status, reader);
}

/** Returns the bytes of an answer that describes an invalid request. */
export function encodeInvalid(answer: InvalidAnswer): Uint8Array {
  return new ByteWriter().byte(answer.reason === "invalid" ? INVALID : TOO_LARGE).string(answer.message).finish();
}

/** Reads the answer to a {@linkcode GetQuery}; the value is a view. @throws {RangeError} for anything else. */
export function decodeGetAnswer(bytes: Uint8Array): GetAnswer {
  const reader = new ByteReader(bytes);
  const status = reader.byte();
  if (status !== OK) return decodeInvalid(status, reader);
  const revision = reader.varint();
  const version = reader.varint();
  return { ok: true, revision, entry: version === 0 ? null : { version, value: reader.bytes() } };
}

/** Reads the answer to a {@linkcode ListQuery}; keys and values are views. @throws {RangeError} for anything else. */
export function decodeListAnswer(bytes: Uint8Array): ListAnswer {
  const reader = new ByteReader(bytes);
  const status = reader.byte();
  if (status !== OK) return decodeInvalid(status, reader);
  const revision = reader.varint();
  const entries: KeyValueEntry[] = [];
  // Each entry begins with a 2; the end is whether there are more, as 0 or 1.
  for (;;) {
    const mark = reader.byte();
    if (mark < LIST_ENTRY_MARK) return { ok: true, revision, entries, more: mark === 1 };
    entries.push({ key: reader.bytes(), version: reader.varint(), value: reader.bytes() });
  }
}

/** Begins an answer to a {@linkcode GetQuery} or {@linkcode ListQuery}. */
export function beginAnswer(revision: number, capacity: number): ByteWriter {
  return new ByteWriter(capacity).byte(OK).varint(revision);
}

/** Stands before each entry in the answer to a {@linkcode ListQuery}. */
export const LIST_ENTRY_MARK = 2;

function decodeInvalid(status: number, reader: ByteReader): InvalidAnswer {
  if (status !== INVALID && status !== TOO_LARGE) throw new RangeError("no such answer");
  return { ok: false, reason: status === INVALID ? "invalid" : "too_large", message: reader.string() };
}
