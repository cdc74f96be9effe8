/// <reference lib="dom" />
/**
 * The records of the log: writing a batch, and reading entries back.
 */

import { promisifyRequest } from "idb-keyval";
import { crc32c } from "../../lib/crc32c.ts";
import type { Entry, PersistBatch } from "../../lib/raft/types.ts";
import { keepsLog } from "../log_rules.ts";
import { damaged } from "./database_errors.ts";
import { keyOf } from "./keys.ts";
import type { IndexedName, KeyRanges, RecordName } from "./keys.ts";
import type { LogShape } from "./log_shape.ts";

const indexedNames: readonly IndexedName[] = ["entry", "term", "membership"];

/** The number of entries in the first request of a read; later ones follow from the sizes found so far. */
const firstRequest = 4;
const maxRequest = 1024;

export function putRecord(store: IDBObjectStore, name: RecordName, value: unknown): void {
  store.put(value, name);
}

export function putRange(store: IDBObjectStore, { firstIndex, lastIndex }: LogShape): void {
  putRecord(store, "log", { firstIndex, lastIndex });
}

/** Deletes all records of the indexes `from` to `to`. */
export function deleteIndexes(store: IDBObjectStore, ranges: KeyRanges, from: number, to?: number): void {
  for (const name of indexedNames) store.delete(ranges.indexes(name, from, to));
}

/** Writes the changes from `before` to `after`, in the store's transaction. */
export function writeBatch(
  store: IDBObjectStore,
  ranges: KeyRanges,
  batch: PersistBatch,
  before: LogShape,
  after: LogShape,
): void {
  const { hardState, snapshot, entries } = batch;
  if (hardState !== null) {
    putRecord(store, "hardState", { term: hardState.term, votedFor: hardState.votedFor });
  }
  if (snapshot !== null) putRecord(store, "snapshot", after.snapshotRef);
  // A snapshot that does not fit the log empties it.
  if (snapshot !== null && !keepsLog(before, snapshot)) deleteIndexes(store, ranges, 0);
  else if (entries.length > 0 && entries[0]!.index <= before.lastIndex) deleteIndexes(store, ranges, entries[0]!.index);
  for (const entry of entries) putEntry(store, entry);
  for (const { term, index } of after.termStarts) {
    if (index >= (entries[0]?.index ?? Infinity)) store.put(term, keyOf("term", index));
  }
  if (snapshot !== null || entries.length > 0) putRange(store, after);
}

function putEntry(store: IDBObjectStore, { index, term, type, data }: Entry): void {
  // Storing a view stores its whole buffer, which may be that of a whole message.
  const own = data.length === data.buffer.byteLength ? data : data.slice();
  store.put({ index, term, type, data: own, checksum: crc32c(data) }, keyOf("entry", index));
  if (type === "membership") store.put(true, keyOf("membership", index));
}

/** Reads the records of the entries `from` to `to`, at least enough of them for `maxBytes`. */
export async function readEntryRecords(
  store: IDBObjectStore,
  ranges: KeyRanges,
  from: number,
  to: number,
  maxBytes: number,
): Promise<unknown[]> {
  const found: unknown[] = [];
  let bytes = 0;
  for (let count = firstRequest;;) {
    const range = ranges.indexes("entry", from + found.length, to);
    const values = await promisifyRequest<unknown[]>(store.getAll(range, count));
    for (const value of values) bytes += dataOf(value)?.length ?? 0;
    found.push(...values);
    if (values.length < count || bytes >= maxBytes || from + found.length > to) return found;
    const average = Math.max(1, bytes / found.length);
    count = Math.min(Math.ceil((maxBytes - bytes) / average), count * 4, maxRequest);
  }
}

/** Returns the fields of a record; all `undefined` if it is not an object. */
export function fieldsOf<Field extends string>(value: unknown): { readonly [name in Field]?: unknown } {
  return typeof value === "object" && value !== null ? value : {};
}

function dataOf(value: unknown): Uint8Array | undefined {
  const { data } = fieldsOf<"data">(value);
  return data instanceof Uint8Array ? data : undefined;
}

/**
 * Decodes one record.
 *
 * @param term the entry's term according to the log
 * @throws {StorageError} `damaged`
 */
export function decodeEntry(database: string, value: unknown, index: number, term: number): Entry {
  const record = `entry ${index}`;
  if (value === undefined || value === null) throw damaged(database, record, "it is missing");
  const fields = fieldsOf<keyof Entry | "checksum">(value);
  const { type } = fields;
  const data = dataOf(value);
  const known = type === "command" || type === "noop" || type === "membership";
  if (!known || data === undefined) throw damaged(database, record, "it is not an entry");
  if (fields.index !== index) throw damaged(database, record, `entry ${String(fields.index)} stands in its place`);
  if (fields.term !== term) {
    throw damaged(database, record, `its term is ${String(fields.term)}, and should be ${term}`);
  }
  if (fields.checksum !== crc32c(data)) throw damaged(database, record, "its data have a wrong checksum");
  return { index, term, type, data };
}
