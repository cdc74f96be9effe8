/// <reference lib="dom" />
/**
 * Where things are. One object store holds everything of a node, so that one
 * transaction can change any of it:
 *
 * ```
 * "identity"              whose database it is
 * "hardState"             term and vote
 * "log"                   the first and the last index of the log
 * "snapshot"              the snapshot in force: its number and its meta
 * ["entry", index]        an entry, with the checksum of its data
 * ["term", index]         the term that begins there
 * ["membership", index]   that entry is a membership
 * ["chunk", number, n]    the bytes of a snapshot, from n × 256 KiB on
 * ```
 *
 * `term` and `membership` repeat what the entries say, so that a start need not
 * read them all. Chunks whose number `snapshot` does not name are leftovers. The
 * format's version is the database's own.
 *
 * @module
 */

/** The database's version: a program that knows only older ones can't open it. */
export const formatVersion = 1;
/** The object store. */
export const storeName = "raft";
/** Bytes of each chunk of a snapshot but the last. */
export const chunkBytes = 256 * 1024;

/** The single records. */
export type RecordName = "identity" | "hardState" | "log" | "snapshot";

/** The records that there is one of for each index of the log, or for some. */
export type IndexedName = "entry" | "term" | "membership";

/** The name of a node's database, and of its lock. */
export function placeName(clusterId: string, nodeId: string): string {
  const part = (id: string): string => id.replace(/[%:]/g, (character) => (character === "%" ? "%25" : "%3A"));
  return `raft-core:${part(clusterId)}:${part(nodeId)}`;
}

/** The key of one record of an index. */
export function keyOf(name: IndexedName, index: number): IDBValidKey {
  return [name, index];
}

/** The keys of the indexes `from` to `to`, inclusive. */
export function rangeOf(name: IndexedName, from = 0, to = Number.MAX_SAFE_INTEGER): IDBKeyRange {
  return IDBKeyRange.bound([name, from], [name, to]);
}

/** The key of a chunk. */
export function chunkKey(snapshot: number, chunk: number): IDBValidKey {
  return ["chunk", snapshot, chunk];
}

/** The keys of the chunks `from` to `to` of a snapshot, inclusive. */
export function chunkRange(snapshot: number, from = 0, to = Number.MAX_SAFE_INTEGER): IDBKeyRange {
  return IDBKeyRange.bound(chunkKey(snapshot, from), chunkKey(snapshot, to));
}

/** The keys of all chunks of all snapshots. */
export function everyChunk(): IDBKeyRange {
  return IDBKeyRange.bound(chunkKey(0, 0), chunkKey(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER));
}
