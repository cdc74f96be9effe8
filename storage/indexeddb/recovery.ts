/// <reference lib="dom" />
/**
 * Recovery at start: reads the database, and checks that it is complete. Damage is
 * an error, and never a silently shorter log. The data of entries are not read,
 * except for memberships.
 */

import { promisifyRequest } from "idb-keyval";
import type { Entry, HardState, TermStart } from "../../lib/raft/types.ts";
import type { Identity } from "../../lib/storage.ts";
import type { SnapshotRef } from "../snapshot_writer.ts";
import type { Database } from "./database.ts";
import { damaged, deletedByBrowser } from "./database_errors.ts";
import { chunkBytes, keyOf } from "./keys.ts";
import type { IndexedName, KeyRanges, RecordName } from "./keys.ts";
import { emptyLog, logShape } from "./log_shape.ts";
import type { LogShape } from "./log_shape.ts";
import { decodeEntry, fieldsOf } from "./records.ts";

export interface Recovered {
  readonly identity: Identity | null;
  readonly log: LogShape;
  readonly memberships: readonly Entry[];
  /** The numbers of snapshots that have chunks but are not in force. */
  readonly leftovers: ReadonlySet<number>;
}

/** All records except the data of entries and snapshots, read in one transaction. */
interface Contents {
  readonly singles: Readonly<Record<RecordName, unknown>>;
  readonly entries: { readonly count: number; readonly first: number; readonly last: number };
  readonly terms: readonly Indexed[];
  readonly memberships: readonly Indexed[];
  readonly chunkKeys: readonly (readonly [number, number])[];
}

interface Indexed {
  readonly index: number;
  readonly value: unknown;
}

async function readContents(store: IDBObjectStore, ranges: KeyRanges): Promise<Contents> {
  const single = (name: RecordName): Promise<unknown> => promisifyRequest(store.get(name));
  /** Returns the records `name` of all indexes that have a record `of`. */
  const indexed = async (name: IndexedName, of: IndexedName): Promise<Indexed[]> => {
    const keys = await promisifyRequest(store.getAllKeys(ranges.indexes(of)));
    return await Promise.all(keys.map(async (key) => {
      const index = (key as [string, number])[1];
      return { index, value: await promisifyRequest<unknown>(store.get(keyOf(name, index))) };
    }));
  };
  const endOfEntries = async (direction: IDBCursorDirection): Promise<number> => {
    const cursor = await promisifyRequest(store.openKeyCursor(ranges.indexes("entry"), direction));
    return cursor === null ? 0 : (cursor.key as [string, number])[1];
  };
  const [identity, hardState, log, snapshot, lost, count, first, last, terms, memberships, chunks] = await Promise.all([
    single("identity"),
    single("hardState"),
    single("log"),
    single("snapshot"),
    single("lost"),
    promisifyRequest(store.count(ranges.indexes("entry"))),
    endOfEntries("next"),
    endOfEntries("prev"),
    indexed("term", "term"),
    indexed("entry", "membership"),
    promisifyRequest(store.getAllKeys(ranges.everyChunk())),
  ]);
  return {
    singles: { identity, hardState, log, snapshot, lost },
    entries: { count, first, last },
    terms,
    memberships,
    chunkKeys: chunks.map((key) => (key as [string, number, number]).slice(1) as [number, number]),
  };
}

/** @throws {StorageError} `damaged` */
export async function recover(database: Database): Promise<Recovered> {
  const contents = await database.store("readonly", (store) => readContents(store, database.ranges));
  const { singles } = contents;
  const { name } = database;
  if (singles.lost !== undefined) throw deletedByBrowser(name, String(singles.lost));
  const leftovers = new Set(contents.chunkKeys.map(([number]) => number));
  if (singles.identity === undefined) {
    const found = Object.values(singles).some((value) => value !== undefined);
    if (found || contents.entries.count > 0) {
      throw damaged(name, "identity", "it is missing, but other records exist");
    }
    return { identity: null, log: emptyLog, memberships: [], leftovers };
  }
  const log = shapeOf(name, contents);
  if (log.snapshotRef !== null) {
    checkChunks(name, log.snapshotRef, contents.chunkKeys);
    leftovers.delete(log.snapshotRef.number);
  }
  return {
    identity: decodeIdentity(name, singles.identity),
    log,
    memberships: membershipsOf(name, log, contents),
    leftovers,
  };
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function decodeIdentity(database: string, value: unknown): Identity {
  const { nodeId, incarnation, clusterId } = fieldsOf<keyof Identity>(value);
  if (typeof nodeId !== "string" || typeof incarnation !== "string" || typeof clusterId !== "string") {
    throw damaged(database, "identity", "it lacks a field");
  }
  return { nodeId, incarnation, clusterId };
}

function decodeHardState(database: string, value: unknown): HardState {
  const { term, votedFor } = fieldsOf<keyof HardState>(value);
  if (!isIndex(term) || !(votedFor === null || typeof votedFor === "string")) {
    throw damaged(database, "hardState", "it is not a term and vote");
  }
  return { term, votedFor };
}

function decodeSnapshot(database: string, value: unknown): SnapshotRef | null {
  if (value === undefined) return null;
  const { number, meta } = fieldsOf<keyof SnapshotRef>(value);
  const { id, index, term, size, checksum, membership } = fieldsOf<keyof SnapshotRef["meta"]>(meta);
  const numbers = [number, index, term, size, checksum];
  if (typeof id !== "string" || !numbers.every(isIndex) || typeof membership !== "object" || membership === null) {
    throw damaged(database, "snapshot", "it is not a snapshot's meta");
  }
  return value as SnapshotRef;
}

/** Returns term and vote, the snapshot and the log, of which no entry may be missing. */
function shapeOf(database: string, contents: Contents): LogShape {
  const { singles, entries } = contents;
  const hardState = decodeHardState(database, singles.hardState);
  const snapshotRef = decodeSnapshot(database, singles.snapshot);
  const { firstIndex, lastIndex } = fieldsOf<"firstIndex" | "lastIndex">(singles.log);
  if (!isIndex(firstIndex) || !isIndex(lastIndex) || lastIndex < firstIndex - 1) {
    throw damaged(database, "log", "it has no range of entries");
  }
  const covered = snapshotRef?.meta.index ?? 0;
  if (firstIndex < 1 || firstIndex > covered + 1 || lastIndex < covered) {
    throw damaged(database, "log", `entries ${firstIndex} to ${lastIndex} do not continue the snapshot at ${covered}`);
  }
  const count = lastIndex - firstIndex + 1;
  const complete = entries.count === count &&
    (count === 0 || (entries.first === firstIndex && entries.last === lastIndex));
  if (!complete) {
    const found = `there are ${entries.count} entries, from ${entries.first} to ${entries.last}`;
    throw damaged(database, "log", `there must be entries ${firstIndex} to ${lastIndex}, and ${found}`);
  }
  const termStarts = contents.terms.map(({ index, value }) => ({ term: value, index }));
  if (!areTermStarts(termStarts, firstIndex, lastIndex)) {
    throw damaged(database, "term", "the terms do not cover the log in order");
  }
  return logShape({ hardState, snapshotRef, firstIndex, lastIndex, termStarts });
}

function areTermStarts(
  starts: readonly { readonly term: unknown; readonly index: number }[],
  firstIndex: number,
  lastIndex: number,
): starts is TermStart[] {
  if (starts[0]?.index !== (lastIndex >= firstIndex ? firstIndex : undefined)) return false;
  return starts.every(({ term, index }, i) => {
    const before = starts[i - 1]?.term;
    return isIndex(term) && index <= lastIndex && (before === undefined || term > (before as number));
  });
}

function membershipsOf(database: string, log: LogShape, contents: Contents): Entry[] {
  return contents.memberships.map(({ index, value }) => {
    const term = index >= log.firstIndex ? log.termAt(index) : undefined;
    if (term === undefined) throw damaged(database, `membership ${index}`, "the log has no such entry");
    const entry = decodeEntry(database, value, index, term);
    if (entry.type !== "membership") throw damaged(database, `membership ${index}`, "the entry is not a membership");
    return entry;
  });
}

/** Checks that all chunks exist; their bytes are checked by readers. */
function checkChunks(database: string, ref: SnapshotRef, keys: Contents["chunkKeys"]): void {
  const own = keys.filter(([number]) => number === ref.number).map(([, chunk]) => chunk);
  const expected = Math.ceil(ref.meta.size / chunkBytes);
  if (own.length !== expected || own.some((chunk, i) => chunk !== i)) {
    throw damaged(database, `snapshot ${ref.meta.id}`, `it has ${own.length} chunks of ${expected}`);
  }
}
