/// <reference lib="dom" />
/**
 * Recovery at start: reads the database, and checks that it is complete. Damage is
 * an error, and never a silently shorter log. The data of entries are not read,
 * except for memberships.
 */

import { promisifyRequest } from "idb-keyval";
import { StorageError } from "../../lib/errors.ts";
import type { Entry, HardState, TermStart } from "../../lib/raft/types.ts";
import type { Identity } from "../../lib/storage.ts";
import type { Database } from "./database.ts";
import { damaged } from "./database_errors.ts";
import { chunkBytes, everyChunk, keyOf, rangeOf } from "./keys.ts";
import type { IndexedName, RecordName } from "./keys.ts";
import { LogShape } from "./log_shape.ts";
import type { SnapshotRef } from "./log_shape.ts";
import { decodeEntry } from "./records.ts";

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
  readonly termKeys: readonly number[];
  readonly terms: readonly unknown[];
  readonly membershipKeys: readonly number[];
  readonly memberships: readonly unknown[];
  readonly chunkKeys: readonly (readonly [number, number])[];
}

async function readContents(store: IDBObjectStore): Promise<Contents> {
  const indexes = async (name: IndexedName): Promise<number[]> => {
    const keys = await promisifyRequest(store.getAllKeys(rangeOf(name)));
    return keys.map((key) => (key as [string, number])[1]);
  };
  const endOfEntries = async (direction: IDBCursorDirection): Promise<number> => {
    const cursor = await promisifyRequest(store.openKeyCursor(rangeOf("entry"), direction));
    return cursor === null ? 0 : (cursor.key as [string, number])[1];
  };
  const memberships = async (): Promise<{ keys: number[]; values: unknown[] }> => {
    const keys = await indexes("membership");
    return { keys, values: await Promise.all(keys.map((index) => promisifyRequest(store.get(keyOf("entry", index))))) };
  };
  const names: RecordName[] = ["identity", "hardState", "log", "snapshot"];
  const [singles, count, first, last, termKeys, terms, members, chunks] = await Promise.all([
    Promise.all(names.map((name) => promisifyRequest<unknown>(store.get(name)))),
    promisifyRequest(store.count(rangeOf("entry"))),
    endOfEntries("next"),
    endOfEntries("prev"),
    indexes("term"),
    promisifyRequest<unknown[]>(store.getAll(rangeOf("term"))),
    memberships(),
    promisifyRequest(store.getAllKeys(everyChunk())),
  ]);
  const [identity, hardState, log, snapshot] = singles;
  return {
    singles: { identity, hardState, log, snapshot },
    entries: { count, first, last },
    termKeys,
    terms,
    membershipKeys: members.keys,
    memberships: members.values,
    chunkKeys: chunks.map((key) => (key as [string, number, number]).slice(1) as [number, number]),
  };
}

/** @throws {StorageError} `damaged` */
export async function recover(database: Database): Promise<Recovered> {
  const contents = await database.store("readonly", readContents);
  const { singles } = contents;
  const { name } = database;
  const leftovers = new Set(contents.chunkKeys.map(([number]) => number));
  if (singles.identity === undefined) {
    const found = Object.keys(singles).some((key) => singles[key as RecordName] !== undefined);
    if (found || contents.entries.count > 0) {
      throw damaged(name, "identity", "it is missing, but other records exist");
    }
    return { identity: null, log: LogShape.empty(), memberships: [], leftovers };
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

/** Returns the fields of a record; all `undefined` if it is not an object. */
function fieldsOf<Field extends string>(value: unknown): { readonly [name in Field]?: unknown } {
  return typeof value === "object" && value !== null ? value : {};
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
  const termStarts = contents.termKeys.map((index, i) => ({ term: contents.terms[i], index }));
  if (!areTermStarts(termStarts, firstIndex, lastIndex)) {
    throw damaged(database, "term", "the terms do not cover the log in order");
  }
  return new LogShape({ hardState, snapshotRef, firstIndex, lastIndex, termStarts });
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
  return contents.membershipKeys.map((index, i) => {
    const term = index >= log.firstIndex ? log.termAt(index) : undefined;
    if (term === undefined) throw damaged(database, `membership ${index}`, "the log has no such entry");
    const entry = decodeEntry(database, contents.memberships[i], index, term);
    if (entry instanceof StorageError) throw entry;
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
