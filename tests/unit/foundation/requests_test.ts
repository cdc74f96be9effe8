import assert from "node:assert/strict";
import { Backoff } from "../../../lib/backoff.ts";
import { BoundedQueue } from "../../../lib/bounded_queue.ts";
import { concatBytes } from "../../../lib/bytes.ts";
import { CallTable } from "../../../lib/call_table.ts";
import { closedError, RaftError } from "../../../lib/errors.ts";
import { secureRandom } from "../../../lib/host.ts";
import { pause } from "../../../lib/pause.ts";
import { Pending } from "../../../lib/pending.ts";
import { randomId } from "../../../lib/random_id.ts";

/** A clock whose timers run on request. */
function manualClock() {
  const timers = new Set<() => void>();
  const fire = () => {
    for (const timer of [...timers]) {
      timers.delete(timer);
      timer();
    }
  };
  const setTimer = (_ms: number, callback: () => void) => {
    timers.add(callback);
    return () => void timers.delete(callback);
  };
  return { clock: { monotonicMs: () => 0, wallMs: () => 0, setTimer }, timers, fire };
}

async function errorOf(promise: Promise<unknown>): Promise<[string, string]> {
  const error = await promise.then(() => assert.fail("it resolved"), (error) => error);
  assert.ok(error instanceof RaftError);
  return [error.code, error.outcome];
}

Deno.test("a pending promise settles once, by the first event, and leaves no timer behind", async () => {
  const { clock, timers, fire } = manualClock();
  const controller = new AbortController();
  const ends: unknown[] = [];
  const make = () =>
    new Pending<number>({
      signals: [controller.signal, undefined],
      timeout: { clock, ms: 5, message: "late" },
      onEnd: (givenUp) => ends.push(givenUp?.code ?? null),
    });
  const answered = make();
  assert.equal(answered.resolve(1), true);
  assert.equal(answered.reject(new RaftError("internal", "too late")), false);
  assert.equal(await answered.promise, 1);
  assert.equal(timers.size, 0);
  const late = make();
  fire();
  assert.deepEqual(await errorOf(late.promise), ["timeout", "unknown"]);
  const aborted = make();
  controller.abort();
  assert.deepEqual(await errorOf(aborted.promise), ["aborted", "unknown"]);
  assert.deepEqual([aborted.settled, timers.size], [true, 0]);
  assert.deepEqual(ends, [null, "timeout", "aborted"]);
});

Deno.test("a pending promise whose signal fired before it began is rejected, without a call of onEnd", async () => {
  const pending = new Pending({ signals: [AbortSignal.abort()], onEnd: () => assert.fail("it never began") });
  assert.deepEqual(await errorOf(pending.promise), ["aborted", "rejected"]);
});

Deno.test("the outcome of a pending promise is determined when it ends", async () => {
  let outcome: "rejected" | "unknown" = "rejected";
  const controller = new AbortController();
  const pending = new Pending({ signals: [controller.signal], outcome: () => outcome });
  outcome = "unknown";
  controller.abort();
  assert.deepEqual(await errorOf(pending.promise), ["aborted", "unknown"]);
});

Deno.test("a pause ends by time or by a signal, and leaves no timer behind", async () => {
  const { clock, timers, fire } = manualClock();
  const controller = new AbortController();
  const slept = pause(clock, 10, controller.signal);
  fire();
  await slept;
  const woken = pause(clock, 10, undefined, controller.signal);
  controller.abort();
  await woken;
  await pause(clock, 10, controller.signal);
  assert.equal(timers.size, 0);
});

Deno.test("a back-off doubles up to its longest pause, with jitter, and starts over", () => {
  let random = 0;
  const backoff = new Backoff({ random: () => random }, 10, 35);
  assert.deepEqual([backoff.nextMs(), backoff.nextMs(), backoff.nextMs()], [5, 10, 17.5]);
  backoff.reset();
  random = 1;
  assert.equal(backoff.nextMs(), 10);
});

Deno.test("a call table matches answers with calls, by number and receiver", async () => {
  const table = new CallTable<string>(0xffff_ffff);
  const ids: number[] = [];
  const make = (to: string) => table.call({ to, post: (id) => void ids.push(id) });
  const first = make("a");
  const second = make("b");
  assert.deepEqual([ids, table.size], [[0, 1], 2]);
  assert.equal(table.answered(0, "no", "b"), false);
  assert.equal(table.answered(0, "yes", "a"), true);
  assert.equal(table.answered(0, "again", "a"), false);
  assert.equal(await first, "yes");
  table.answered(1, new RaftError("busy", "later"), "b");
  assert.deepEqual(await errorOf(second), ["busy", "rejected"]);
});

Deno.test("a call that was never sent is rejected; one that is abandoned, lost or closed is unknown", async () => {
  const table = new CallTable<string>();
  assert.deepEqual(await errorOf(table.call({ to: "a", post: () => false })), ["unreachable", "rejected"]);
  const controller = new AbortController();
  const givenUp: number[] = [];
  const aborted = table.call({ signal: controller.signal, post: () => {}, onGivenUp: (id) => givenUp.push(id) });
  controller.abort();
  assert.deepEqual(await errorOf(aborted), ["aborted", "unknown"]);
  assert.deepEqual(givenUp, [2]);
  const lost = table.call({ to: "a", post: () => {} });
  const open = table.call({ to: "b", post: () => {} });
  table.lost("a", new RaftError("unreachable", "a is gone"));
  assert.deepEqual(await errorOf(lost), ["unreachable", "unknown"]);
  table.close(closedError("the table"));
  assert.deepEqual(await errorOf(open), ["closed", "unknown"]);
  assert.deepEqual(await errorOf(table.call({ post: () => assert.fail("it is closed") })), ["closed", "rejected"]);
  assert.equal(table.size, 0);
});

Deno.test("a bounded queue holds and hands out no more than its limits, but at least one item", () => {
  const queue = new BoundedQueue<string>();
  const limits = { maxItems: 3, maxBytes: 10 };
  assert.deepEqual([queue.push("a", 6, limits), queue.push("b", 5, limits), queue.push("b", 4, limits)], [
    true,
    false,
    true,
  ]);
  assert.deepEqual([queue.length, queue.bytes], [2, 10]);
  assert.deepEqual(queue.take({ maxItems: 9, maxBytes: 1 }), ["a"]);
  queue.push("c", 1, limits);
  assert.deepEqual(queue.take({ maxItems: 9, maxBytes: 5 }), ["b", "c"]);
  queue.push("d", 1, limits);
  assert.deepEqual([queue.clear(), queue.length, queue.bytes], [["d"], 0, 0]);
});

Deno.test("chunks are joined in order, and one alone is not copied", () => {
  const one = new Uint8Array([1, 2]);
  assert.equal(concatBytes([one]), one);
  assert.deepEqual([...concatBytes([one, new Uint8Array(0), new Uint8Array([3])])], [1, 2, 3]);
  assert.equal(concatBytes([]).length, 0);
});

Deno.test("a random id is 128 bits in hexadecimal", () => {
  assert.match(randomId(secureRandom), /^[0-9a-f]{32}$/);
  assert.notEqual(randomId(secureRandom), randomId(secureRandom));
  assert.equal(randomId(() => 0), "0".repeat(32));
});
