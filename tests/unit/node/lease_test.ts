import assert from "node:assert/strict";
import { Lease } from "../../../lib/node/lease.ts";

function clocked(durationMs = 900) {
  const now = { monotonicMs: 0, wallMs: 1_000_000 };
  const lease = new Lease({
    monotonicMs: () => now.monotonicMs,
    wallMs: () => now.wallMs,
    setTimer: () => () => {},
  }, durationMs);
  const pass = (ms: number) => {
    now.monotonicMs += ms;
    now.wallMs += ms;
  };
  return { lease, now, pass };
}

Deno.test("§6.4.1: a lease runs from the sending of the round, not from its confirmation", () => {
  const { lease, pass } = clocked();
  lease.roundStarted(1);
  assert.equal(lease.valid, false);
  pass(500);
  lease.roundConfirmed(1);
  assert(lease.valid);
  pass(399);
  assert(lease.valid);
  pass(1);
  assert.equal(lease.valid, false);
});

Deno.test("a confirmation counts for its round and earlier ones, but for no later one", () => {
  const { lease, pass } = clocked();
  lease.roundStarted(1);
  pass(600);
  lease.roundStarted(2);
  pass(200);
  lease.roundConfirmed(1);
  pass(100);
  assert.equal(lease.valid, false, "round 1 left 900 ms ago");
  lease.roundConfirmed(2);
  assert(lease.valid);
});

Deno.test("§6.4.1: a lease ends by whichever clock shows more time, and when the wall clock was set back", () => {
  for (
    const change of [{ monotonicMs: 900, wallMs: 0 }, { monotonicMs: 0, wallMs: 900 }, { monotonicMs: 0, wallMs: -1 }]
  ) {
    const { lease, now } = clocked();
    lease.roundStarted(1);
    lease.roundConfirmed(1);
    assert(lease.valid);
    now.monotonicMs += change.monotonicMs;
    now.wallMs += change.wallMs;
    assert.equal(lease.valid, false);
  }
});

Deno.test("rounds of an earlier leadership give no lease", () => {
  const { lease } = clocked();
  lease.roundStarted(5);
  lease.reset();
  lease.roundConfirmed(5);
  assert.equal(lease.valid, false);
  lease.roundStarted(1);
  lease.roundConfirmed(1);
  lease.reset();
  assert.equal(lease.valid, false);
});
