import assert from "node:assert/strict";
import { Configuration } from "../../../lib/raft/configuration.ts";
import { entryBytes, EntryCache } from "../../../lib/raft/entry_cache.ts";
import { RaftLog } from "../../../lib/raft/log.ts";
import { SeededRandom } from "../../../lib/raft/random.ts";
import { command, membership, membershipEntry, snapshotMeta } from "./harness.ts";

const none = membership(["n1"]);

function logOf(...terms: number[]): RaftLog {
  const log = new RaftLog();
  terms.forEach((term, i) => log.append(command(i + 1, term)));
  return log;
}

function termsOf(log: RaftLog): (number | undefined)[] {
  return Array.from({ length: log.lastIndex - log.baseIndex }, (_, i) => log.termAt(log.baseIndex + 1 + i));
}

Deno.test("an empty log ends at index 0 with term 0", () => {
  const log = new RaftLog();
  assert.deepEqual([log.firstIndex, log.lastIndex, log.lastTerm, log.termAt(0), log.termAt(1)], [
    1,
    0,
    0,
    0,
    undefined,
  ]);
  assert.deepEqual(log.cached(1, 5), []);
});

Deno.test("entries must follow each other", () => {
  const log = logOf(1, 1, 2);
  assert.deepEqual([log.lastIndex, log.lastTerm, log.termAt(2), log.termAt(4)], [3, 2, 1, undefined]);
  assert.throws(() => log.append(command(5, 2)), RangeError);
  assert.throws(() => log.append(command(3, 2)), RangeError);
});

Deno.test("§5.3: lastIndexWithin skips whole terms that are too new", () => {
  const log = logOf(1, 1, 3, 3, 3, 6, 6);
  assert.deepEqual([7, 6, 5, 4].map((index) => log.lastIndexWithin(index, 6)), [7, 6, 5, 4]);
  assert.deepEqual([7, 6, 5, 4].map((index) => log.lastIndexWithin(index, 5)), [5, 5, 5, 4]);
  assert.deepEqual([7, 5, 3].map((index) => log.lastIndexWithin(index, 2)), [2, 2, 2]);
  assert.equal(log.lastIndexWithin(7, 0), 0);
  assert.equal(log.lastIndexWithin(99, 9), 7);
});

Deno.test("a truncation removes entries, terms and durability from its index on", () => {
  const log = logOf(1, 2, 2, 3);
  log.durableIndex = 4;
  const bytes = log.cachedBytes;
  log.truncateFrom(3);
  assert.deepEqual([termsOf(log), log.lastTerm, log.durableIndex], [[1, 2], 2, 2]);
  assert.equal(log.cachedBytes, bytes / 2);
  log.append(command(3, 5));
  assert.deepEqual(termsOf(log), [1, 2, 5]);
  log.truncateFrom(1);
  assert.deepEqual([log.lastIndex, log.lastTerm, log.cachedBytes], [0, 0, 0]);
});

Deno.test("compacted entries can't be truncated", () => {
  const log = logOf(1, 1, 1);
  log.durableIndex = 3;
  log.compact(2);
  assert.throws(() => log.truncateFrom(2), RangeError);
  log.truncateFrom(3);
  assert.deepEqual([log.lastIndex, log.lastTerm], [2, 1]);
});

Deno.test("compaction keeps the term of the last compacted entry", () => {
  const log = logOf(1, 2, 2, 3, 3);
  log.durableIndex = 5;
  log.compact(3);
  assert.deepEqual([log.firstIndex, log.termAt(3), log.termAt(2), termsOf(log)], [4, 2, undefined, [3, 3]]);
  log.compact(2);
  assert.equal(log.firstIndex, 4, "never back");
  log.compact(5);
  assert.deepEqual([log.firstIndex, log.lastIndex, log.lastTerm, log.cachedBytes], [6, 5, 3, 0]);
  assert.throws(() => log.compact(6), RangeError);
  log.append(command(6, 3));
  assert.deepEqual([log.termAt(6), log.lastTerm], [3, 3]);
});

Deno.test("only durable entries are evicted, oldest first, and the rest is a run to the end", () => {
  const log = logOf(1, 1, 1, 1, 1, 1);
  log.durableIndex = 4;
  log.evict(6, 0);
  assert.deepEqual(log.cached(1, 9), []);
  assert.deepEqual(log.cached(5, 9).map(({ index }) => index), [5, 6]);
  assert.equal(log.cachedBytes, 2 * entryBytes(command(5, 1)));
  log.durableIndex = 6;
  log.evict(5, 0);
  assert.deepEqual([log.cached(5, 9).length, log.cached(6, 9).length], [0, 1]);
  assert.equal(log.termAt(2), 1, "their terms are kept");
});

Deno.test("a read of the cache returns at least one entry, and as many as fit", () => {
  const log = logOf(1, 1, 1, 1);
  const each = entryBytes(command(1, 1));
  assert.deepEqual(log.cached(2, 4, 1).map(({ index }) => index), [2]);
  assert.deepEqual(log.cached(1, 4, 3 * each).map(({ index }) => index), [1, 2, 3]);
  assert.deepEqual(log.cached(2, 3).map(({ index }) => index), [2, 3]);
  assert.deepEqual(log.cached(5, 9), []);
});

Deno.test("a log restored from disk has its terms; runs before the snapshot are allowed", () => {
  const starts = [{ term: 1, index: 1 }, { term: 2, index: 3 }, { term: 5, index: 6 }];
  const log = RaftLog.restore(snapshotMeta(4, 2, none), 7, starts);
  assert.deepEqual([log.termAt(3), log.termAt(4), termsOf(log)], [undefined, 2, [2, 5, 5]]);
  assert.deepEqual([log.durableIndex, log.lastTerm], [7, 5]);
  const empty = RaftLog.restore(snapshotMeta(9, 4, none), 7, starts);
  assert.deepEqual([empty.lastIndex, empty.lastTerm, empty.firstIndex], [9, 4, 10]);
});

Deno.test("a snapshot replaces the whole log", () => {
  const log = logOf(1, 1, 1);
  log.reset(snapshotMeta(9, 4, none), 1);
  assert.deepEqual([log.firstIndex, log.lastIndex, log.lastTerm, log.durableIndex, log.cachedBytes], [10, 9, 4, 1, 0]);
});

Deno.test("durable and committed entries are packed, within the bytes that the cache may take", () => {
  const log = new RaftLog(new EntryCache(4, 64));
  const data = (index: number) => new Uint8Array(index % 50).fill(index);
  for (let index = 1; index <= 100; index++) {
    log.append({ index, term: 2 ** 40 + Math.floor(index / 10), type: "command", data: data(index) });
    log.durableIndex = index;
    log.evict(index, 1000);
    assert.ok(log.cachedBytes <= 1000, `${log.cachedBytes} bytes at ${index}`);
  }
  let first = 1;
  while (log.cached(first, 100).length === 0) first++;
  assert.ok(first > 50 && first < 90, `the run begins at ${first}`);
  for (let from = first; from <= 100; from++) {
    const run = log.cached(from, 100);
    assert.ok(run.length > 0, `${from}`);
    for (const [at, entry] of run.entries()) {
      const index = from + at;
      assert.deepEqual(entry, { index, term: 2 ** 40 + Math.floor(index / 10), type: "command", data: data(index) });
    }
  }
  assert.equal(log.cached(first, 100, 1).length, 1, "at least one");
  log.evict(100, 0);
  assert.deepEqual([log.cachedBytes, log.cached(100, 100).length], [0, 0]);
});

Deno.test("an entry may be larger than a block, or than the whole cache", () => {
  const log = new RaftLog(new EntryCache(1, 64));
  const append = (index: number, size: number) => {
    log.append({ index, term: 1, type: "command", data: new Uint8Array(size).fill(index) });
    log.durableIndex = index;
    log.evict(index, 1000);
  };
  [10, 300, 10, 10, 10].forEach((size, at) => append(at + 1, size));
  assert.deepEqual(log.cached(2, 2)[0]!.data, new Uint8Array(300).fill(2));
  append(6, 5000);
  assert.deepEqual(log.cached(5, 6), []);
  for (let index = 7; index <= 12; index++) append(index, 10);
  assert.deepEqual([log.cached(6, 12).length, log.cached(7, 12).length > 0], [0, true]);
  assert.ok(log.cachedBytes <= 1000);
});

Deno.test("random operations leave the log equal to a plain list of terms", () => {
  for (let seed = 0; seed < 100; seed++) {
    const random = new SeededRandom(seed);
    const log = seed % 2 === 0 ? new RaftLog() : new RaftLog(new EntryCache(2, 100));
    let plain: number[] = [];
    let base = 0;
    let term = 1;
    for (let i = 0; i < 200; i++) {
      const last = base + plain.length;
      switch (random.below(6)) {
        case 0:
          if (last > base) {
            const at = base + 1 + random.below(last - base);
            log.truncateFrom(at);
            plain = plain.slice(0, at - base - 1);
          }
          break;
        case 1: {
          const at = base + random.below(last - base + 1);
          log.durableIndex = Math.max(log.durableIndex, Math.min(last, at));
          if (at <= log.durableIndex) log.compact(at);
          plain = at <= log.durableIndex ? plain.slice(at - base) : plain;
          base = Math.max(base, at <= log.durableIndex ? at : base);
          break;
        }
        case 2:
          log.durableIndex = log.lastIndex;
          log.evict(log.lastIndex, random.below(seed % 2 === 0 ? 200 : 1000));
          break;
        default:
          term = Math.max(term, log.lastTerm) + (random.below(3) === 0 ? 1 : 0);
          log.append(command(last + 1, term));
          plain.push(term);
      }
      assert.deepEqual([log.lastIndex, termsOf(log)], [base + plain.length, plain], `seed ${seed}`);
      const cached = log.cached(log.lastIndex, log.lastIndex);
      if (cached.length > 0) assert.equal(cached[0]!.index, log.lastIndex);
      for (let from = log.firstIndex; from <= log.lastIndex; from++) {
        for (const [at, entry] of log.cached(from, log.lastIndex).entries()) {
          assert.deepEqual([entry.index, entry.term], [from + at, log.termAt(from + at)], `seed ${seed}`);
        }
      }
      assert.ok(log.cachedBytes >= 0 && log.durableIndex <= log.lastIndex);
    }
  }
});

Deno.test("a configuration has the membership of each index", () => {
  const [a, b, c] = [membership(["a"]), membership(["b"]), membership(["c"])];
  const configuration = Configuration.restore(snapshotMeta(3, 1, a), [
    membershipEntry(2, 1, c),
    membershipEntry(5, 1, b),
  ]);
  assert.deepEqual([configuration.at(3), configuration.at(4), configuration.at(5)], [a, a, b]);
  assert.deepEqual([configuration.current, configuration.previous, configuration.index], [b, a, 5]);
  assert.throws(() => configuration.at(2), RangeError);
  assert.deepEqual(configuration.between(3, 5).map(({ index }) => index), [5]);
  assert.equal(configuration.truncateFrom(6), false);
  assert.equal(configuration.truncateFrom(5), true);
  assert.deepEqual([configuration.current, configuration.index], [a, 3]);
  assert.equal(configuration.truncateFrom(1), false, "a snapshot's entries are committed");
  configuration.append(7, b);
  configuration.append(9, c);
  configuration.compact(8);
  assert.deepEqual([configuration.at(8), configuration.current, configuration.index], [b, c, 9]);
  assert.throws(() => configuration.at(6), RangeError);
});
