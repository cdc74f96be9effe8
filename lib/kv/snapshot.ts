/**
 * The snapshot of the key-value state machine. Equal states give equal bytes,
 * whatever led to them.
 *
 * The first block holds the format's name and version, the revision and
 * the number of keys. Then come blocks of entries (key, version, value) in the
 * order of the keys; a block ends with the entry that fills it.
 */

import { ByteReader, ByteWriter } from "../bytes.ts";
import { beginHeader, blockChunks, openHeader, readBlocks, type SnapshotFormat } from "../block_stream.ts";
import { KEY_MAX_BYTES, VALUE_MAX_BYTES } from "./commands.ts";
import { binaryString, pack, type Packed, writePacked } from "./packed.ts";
import { SortedMap } from "./sorted_map.ts";

/** The value and the version of a key. Immutable. */
export interface Stored {
  readonly value: Packed;
  /** The log index of its last change. */
  readonly version: number;
}

/** The whole state. */
export interface KeyValueState {
  readonly entries: SortedMap<Stored>;
  /** The index of the last command applied. */
  readonly version: number;
}

const FORMAT: SnapshotFormat = { name: "raft-core.kv", version: 1, kind: "key-value" };
/** A block is done when it has so many bytes. */
const BLOCK_FULL_BYTES = 64 * 1024;
const BLOCK_MAX_BYTES = BLOCK_FULL_BYTES + KEY_MAX_BYTES + VALUE_MAX_BYTES + 64;

/** The bytes of a state, which must not change while they are read. */
export async function* writeSnapshot({ entries, version }: KeyValueState): AsyncIterable<Uint8Array> {
  yield* blockChunks(beginHeader(FORMAT).varint(version).varint(entries.size).finish());
  let from: string | null = "";
  while (from !== null) {
    const block = new ByteWriter(BLOCK_FULL_BYTES + 1024);
    from = fillBlock(block, entries, from);
    if (block.length > 0) yield* blockChunks(block.finish());
  }
}

/** Writes entries from a key on; returns the next key, `null` at the end. */
function fillBlock(block: ByteWriter, entries: SortedMap<Stored>, from: string): string | null {
  let next: string | null = null;
  entries.scan(from, (key, stored) => {
    if (block.length >= BLOCK_FULL_BYTES) {
      next = key;
      return false;
    }
    block.binary(key).varint(stored.version);
    writePacked(block, stored.value);
    return true;
  });
  return next;
}

/** Reads the state back. @throws {RaftError} `damaged` or `unsupported_version` */
export async function readSnapshot(snapshot: AsyncIterable<Uint8Array>): Promise<KeyValueState> {
  const entries = new SortedMap<Stored>();
  const version = await scanSnapshot(snapshot, (key, stored) => void entries.set(key, stored));
  return { entries, version };
}

/**
 * Reads all entries, in order, and keeps none. Returns the revision.
 *
 * @throws {RaftError} `damaged` or `unsupported_version`, perhaps after some entries
 */
export function scanSnapshot(
  snapshot: AsyncIterable<Uint8Array>,
  visit: (key: string, stored: Stored) => void,
): Promise<number> {
  return readBlocks(snapshot, BLOCK_MAX_BYTES, FORMAT, async (reader) => {
    const header = openHeader(await reader.next(), FORMAT);
    const version = header.varint();
    const size = header.varint();
    header.end();
    let last = "";
    let count = 0;
    const counted = (key: string, stored: Stored): void => {
      count++;
      visit(key, stored);
    };
    while (count < size) last = readEntries(await reader.next(), counted, last, version);
    if (count !== size) throw new RangeError("there are more keys than stated");
    await reader.end();
    return version;
  });
}

/** Visits the entries of a block, whose keys must all be after `last`; returns the last of them. */
function readEntries(
  block: Uint8Array,
  visit: (key: string, stored: Stored) => void,
  last: string,
  revision: number,
): string {
  const reader = new ByteReader(block);
  do {
    const keyBytes = reader.bytes();
    if (keyBytes.length === 0 || keyBytes.length > KEY_MAX_BYTES) {
      throw new RangeError("a key's length is out of range");
    }
    const key = binaryString(keyBytes);
    if (key <= last) throw new RangeError("keys are not in order");
    const version = reader.varint();
    if (version === 0 || version > revision) throw new RangeError("a version is out of range");
    const value = reader.bytes();
    if (value.length > VALUE_MAX_BYTES) throw new RangeError("a value is too long");
    visit(key, { value: pack(value), version });
    last = key;
  } while (reader.remaining > 0);
  return last;
}
