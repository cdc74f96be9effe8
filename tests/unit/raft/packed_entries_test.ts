import assert from "node:assert/strict";
import { EntryCache } from "../../../lib/raft/entry_cache.ts";
import { PackedEntries } from "../../../lib/raft/packed_entries.ts";
import type { Entry, EntryType } from "../../../lib/raft/types.ts";

const BLOCK_BYTES = 256;
const TYPES: readonly EntryType[] = ["command", "noop", "membership"];

function entry(index: number, term = 2 ** 33 + index, size = 10 + index % 7): Entry {
  return { index, term, type: TYPES[index % 3]!, data: new Uint8Array(size).fill(index) };
}

function packedUpTo(last: number, maxBytes = Infinity): PackedEntries {
  const packed = new PackedEntries(BLOCK_BYTES);
  for (let index = 1; index <= last; index++) packed.add(entry(index), maxBytes);
  return packed;
}

const always = () => true;

Deno.test("packed entries are read with their types, terms and data, across blocks", () => {
  const packed = packedUpTo(60);
  for (let from = 1; from <= 60; from++) {
    const expected = Array.from({ length: 61 - from }, (_, i) => entry(from + i));
    assert.deepEqual(packed.read(from, 60, always), expected);
  }
  let left = 25;
  assert.equal(packed.read(3, 60, () => left-- > 0).length, 25, "a limit ends the read in any block");
});

Deno.test("entries that were read stay as they are when their block is used again", () => {
  const packed = packedUpTo(30, 4 * BLOCK_BYTES);
  const read = packed.read(packed.first, 30, always);
  const copy = structuredClone(read);
  for (let index = 31; index < 300; index++) packed.add(entry(index), 4 * BLOCK_BYTES);
  assert.ok(packed.first > 30, "all blocks were used again");
  assert.deepEqual(read, copy);
});

Deno.test("a truncation within a block leaves the entries before it, and others follow", () => {
  for (let cut = 1; cut <= 30; cut++) {
    const packed = packedUpTo(30);
    packed.truncateFrom(cut);
    assert.equal(packed.last, cut - 1);
    assert.deepEqual(
      packed.read(1, 30, always).map(({ index }) => index),
      Array.from({ length: cut - 1 }, (_, i) => i + 1),
    );
    for (let index = cut; index <= 40; index++) packed.add(entry(index, 2 ** 40, 20), Infinity);
    assert.deepEqual(packed.read(cut, 40, always)[0], entry(cut, 2 ** 40, 20));
    assert.equal(packed.read(1, 40, always).length, 40);
  }
});

Deno.test("bytes of packed entries are counted, and zero once there are none", () => {
  const packed = packedUpTo(30);
  assert.equal(packed.bytes % BLOCK_BYTES, 0);
  assert.ok(packed.bytes > 3 * BLOCK_BYTES);
  packed.clear();
  assert.equal(packed.bytes, 0);
  packed.add(entry(1), Infinity);
  assert.equal(packed.bytes, BLOCK_BYTES);
  // Another run of entries begins.
  packed.add(entry(5), Infinity);
  assert.deepEqual([packed.bytes, packed.first, packed.last], [BLOCK_BYTES, 5, 5]);
  packed.add(entry(6, 1, 1000), Infinity);
  assert.equal(packed.bytes, BLOCK_BYTES + 1016);
  while (packed.dropOldest());
  assert.deepEqual([packed.bytes, packed.first, packed.last], [0, Infinity, 0]);
});

Deno.test("a full room keeps as many blocks as it has, one of them in part", () => {
  const maxBytes = 4 * BLOCK_BYTES;
  const packed = new PackedEntries(BLOCK_BYTES);
  // Eight entries a block.
  for (let index = 1; index <= 200; index++) {
    packed.add(entry(index, 1, 16), maxBytes);
    assert.ok(packed.bytes <= maxBytes);
    if (index >= 32) assert.ok(index - packed.first >= 24, `from ${packed.first} to ${index}`);
  }
});

/** Returns a cache of small blocks in which the entries up to `last` are packed, or dropped. */
function cacheUpTo(last: number, maxBytes = 8 * BLOCK_BYTES): EntryCache {
  const cache = new EntryCache(4, BLOCK_BYTES);
  for (let index = 1; index <= last; index++) {
    cache.append(entry(index));
    cache.evict(index, maxBytes);
  }
  return cache;
}

Deno.test("entries that may still be truncated are neither packed nor dropped, however many there are", () => {
  const cache = cacheUpTo(20);
  for (let index = 21; index <= 200; index++) {
    cache.append(entry(index));
    cache.evict(20, 8 * BLOCK_BYTES);
  }
  for (let from = 21; from <= 200; from++) {
    assert.deepEqual(cache.read(from, 200, Infinity), Array.from({ length: 201 - from }, (_, i) => entry(from + i)));
  }
});

Deno.test("a cache holds no bytes of entries that were compacted away, replaced or truncated", () => {
  const cache = cacheUpTo(50);
  assert.ok(cache.bytes > 2 * BLOCK_BYTES);
  cache.compact(50);
  cache.evict(50, 0);
  assert.equal(cache.bytes, 0);
  const whole = cacheUpTo(50);
  whole.compact(50);
  // A block that may be used again is all that is left.
  assert.ok(whole.bytes <= BLOCK_BYTES, `${whole.bytes} bytes`);
  const replaced = cacheUpTo(50);
  replaced.reset(70);
  assert.deepEqual([replaced.bytes, replaced.read(40, 70, Infinity)], [0, []]);
  const truncated = cacheUpTo(50);
  truncated.truncateFrom(30);
  assert.deepEqual(truncated.read(30, 50, Infinity), []);
  truncated.append(entry(30, 5, 40));
  truncated.evict(30, 8 * BLOCK_BYTES);
  assert.deepEqual(truncated.read(30, 50, Infinity), [entry(30, 5, 40)]);
});
