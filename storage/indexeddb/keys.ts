/// <reference lib="dom" />
/**
 * The keys of the database. One object store holds all data of a node, so that one
 * transaction can change any of it:
 *
 * ```
 * "identity"              the node that the database belongs to
 * "hardState"             term and vote
 * "log"                   the first and the last index of the log
 * "snapshot"              the snapshot in force: its number and its meta
 * "lost"                  why the browser deleted the database that was here before
 * ["entry", index]        an entry, with the checksum of its data
 * ["term", index]         the term that begins there
 * ["membership", index]   marks an entry as a membership
 * ["chunk", number, n]    the bytes of a snapshot, from n × 256 KiB on
 * ```
 *
 * `term` and `membership` repeat fields of the entries, so that a start need not
 * read them all. Chunks with another number than `snapshot` are leftovers. The
 * version of the format is that of the database.
 *
 * @module
 */

import type { DatabasePlatform } from "./platform.ts";

/** The database's version: a program that knows only older ones can't open it. */
export const formatVersion = 1;
export const storeName = "raft";
/** The size of all chunks of a snapshot except the last, in bytes. */
export const chunkBytes = 256 * 1024;

export type RecordName = "identity" | "hardState" | "log" | "snapshot" | "lost";

/** The name of records that exist for each index of the log, or for some. */
export type IndexedName = "entry" | "term" | "membership";

/** Returns the name of a node's database and of its lock. */
export function placeName(clusterId: string, nodeId: string): string {
  const part = (id: string): string => id.replace(/[%:]/g, (character) => (character === "%" ? "%25" : "%3A"));
  return `raft-core:${part(clusterId)}:${part(nodeId)}`;
}

export function keyOf(name: IndexedName, index: number): IDBValidKey {
  return [name, index];
}

export function chunkKey(snapshot: number, chunk: number): IDBValidKey {
  return ["chunk", snapshot, chunk];
}

/** Ranges of keys. */
export class KeyRanges {
  readonly #bound: DatabasePlatform["bound"];

  constructor(bound: DatabasePlatform["bound"]) {
    this.#bound = bound;
  }

  /** Returns the keys of the indexes `from` to `to`, inclusive. */
  indexes(name: IndexedName, from = 0, to = Number.MAX_SAFE_INTEGER): IDBKeyRange {
    return this.#bound([name, from], [name, to]);
  }

  /** Returns the keys of the chunks `from` to `to` of a snapshot, inclusive. */
  chunks(snapshot: number, from = 0, to = Number.MAX_SAFE_INTEGER): IDBKeyRange {
    return this.#bound(chunkKey(snapshot, from), chunkKey(snapshot, to));
  }

  everyChunk(): IDBKeyRange {
    return this.#bound(chunkKey(0, 0), chunkKey(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER));
  }
}
