import assert from "node:assert/strict";
import { test } from "node:test";
import { EarlyCollection } from "../../../server/memory.ts";

const MIB = 1024 * 1024;

/** A process whose memory the test sets; a collection leaves `live`, and takes `tookMs`. */
class FakeProcess {
  mib = 0;
  live = 100;
  tookMs = 10;
  waitedMs = 0;
  usedMs = 0;
  clockMs = 0;
  collections = 0;
  thorough = 0;

  residentBytes(): number {
    return this.mib * MIB;
  }

  collect(thorough: boolean): void {
    this.collections++;
    if (thorough) this.thorough++;
    this.clockMs += this.tookMs + this.waitedMs;
    this.usedMs += this.tookMs;
    this.mib = this.live;
  }

  nowMs(): number {
    return this.clockMs;
  }

  cpuMs(): number {
    return this.usedMs;
  }
}

/** Looks at each amount of memory in turn, a second apart; returns the collections that each caused. */
function looks(memory: FakeProcess, early: EarlyCollection, ...amounts: readonly number[]): readonly number[] {
  return amounts.map((mib) => {
    const before = memory.collections;
    memory.mib = mib;
    memory.clockMs += 1000;
    early.look();
    return memory.collections - before;
  });
}

test("garbage is collected above the soft limit, and not below it", () => {
  const memory = new FakeProcess();
  assert.deepEqual(looks(memory, new EarlyCollection(256 * MIB, memory), 100, 256, 257, 200, 300), [0, 0, 1, 0, 1]);
});

test("a process that keeps more than the soft limit is collected again once it has grown", () => {
  const memory = new FakeProcess();
  memory.live = 400;
  const early = new EarlyCollection(256 * MIB, memory);
  assert.deepEqual(looks(memory, early, 410, 400, 420, 431, 432, 400, 431), [1, 0, 0, 0, 1, 0, 0]);
});

test("far above the limit, empty pages are given back, too", () => {
  const memory = new FakeProcess();
  const early = new EarlyCollection(256 * MIB, memory);
  assert.deepEqual(looks(memory, early, 384, 200, 385), [1, 0, 1]);
  assert.equal(memory.thorough, 1);
});

test("memory that is given back some time after a collection counts from there", () => {
  const memory = new FakeProcess();
  const early = new EarlyCollection(256 * MIB, memory);
  memory.live = 600;
  assert.deepEqual(looks(memory, early, 600, 300, 331, 332), [1, 0, 0, 1]);
});

test("collections take at most a quarter of the time, also if they bring the memory below the limit", () => {
  const memory = new FakeProcess();
  memory.tookMs = 100;
  const early = new EarlyCollection(256 * MIB, memory);
  memory.mib = 300;
  early.look();
  assert.equal(memory.collections, 1);
  memory.clockMs += 299;
  memory.mib = 200;
  early.look();
  memory.mib = 500;
  early.look();
  assert.equal(memory.collections, 1);
  memory.clockMs += 1;
  early.look();
  assert.equal(memory.collections, 2);
});

test("long collections take at most a hundredth of the time", () => {
  const memory = new FakeProcess();
  const early = new EarlyCollection(256 * MIB, memory);
  memory.tookMs = 201;
  assert.deepEqual(looks(memory, early, 300, ...new Array<number>(20).fill(500), 500, 500), [
    1,
    ...new Array<number>(20).fill(0),
    1,
    0,
  ]);
});

test("a heap that takes long to collect is left to the runtime, until memory falls well below the limit", () => {
  const memory = new FakeProcess();
  const early = new EarlyCollection(256 * MIB, memory);
  memory.tookMs = 801;
  memory.live = 1000;
  assert.deepEqual(looks(memory, early, 1000, 2000, 4000), [1, 0, 0]);
  memory.tookMs = 10;
  assert.deepEqual(looks(memory, early, 200, 300, 128, 300), [0, 0, 0, 1]);
});

test("a collection that waits for the processor is not taken for a long one", () => {
  const memory = new FakeProcess();
  const early = new EarlyCollection(256 * MIB, memory);
  memory.waitedMs = 500;
  assert.deepEqual(looks(memory, early, 300, 340), [1, 1]);
});

test("memory is looked at more often near the limit", () => {
  const memory = new FakeProcess();
  const early = new EarlyCollection(256 * MIB, memory);
  memory.mib = 100;
  const farMs = early.look();
  memory.mib = 200;
  assert.ok(early.look() < farMs);
});
