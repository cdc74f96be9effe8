import assert from "node:assert/strict";
import { Scheduler } from "../../../simulation/scheduler.ts";

function newScheduler(): Scheduler {
  return new Scheduler(() => assert.fail("the tasks never end"));
}

Deno.test("events happen in the order of their time, then of their age; none before its time", async () => {
  const scheduler = newScheduler();
  const seen: string[] = [];
  const note = (what: string) => () => void seen.push(`${what} ${scheduler.nowUs}`);
  scheduler.at(300, null, note("c"));
  scheduler.at(100, null, note("a"));
  scheduler.at(100, null, note("b"));
  const cancel = scheduler.at(200, null, note("cancelled"));
  scheduler.at(150, null, cancel);
  await scheduler.run(299);
  assert.deepEqual(seen, ["a 100", "b 100"]);
  assert.equal(scheduler.nowUs, 299);
  await scheduler.run(400);
  assert.deepEqual(seen.slice(2), ["c 300"]);
});

Deno.test("promises settle, and queued tasks run, before time advances", async () => {
  const scheduler = newScheduler();
  const seen: string[] = [];
  scheduler.at(10, null, () => {
    (async () => {
      for (let i = 0; i < 50; i++) await null;
      seen.push("promise");
    })();
    scheduler.soon(null, () => {
      seen.push("task");
      scheduler.soon(null, () => seen.push("task of a task"));
    });
  });
  scheduler.at(10, null, () => seen.push("next event"));
  await scheduler.run(20);
  assert.deepEqual(seen, ["promise", "task", "task of a task", "next event"]);
});

Deno.test("sleepers wake in order, without real waiting", async () => {
  const scheduler = newScheduler();
  const woken: number[] = [];
  for (const hours of [3, 1, 2]) scheduler.sleep(hours * 3600 * 1_000_000).then(() => void woken.push(hours));
  await scheduler.run(4 * 3600 * 1_000_000);
  assert.deepEqual(woken, [1, 2, 3]);
});

Deno.test("an actor is polled after each of its events, once for a task and once for an event", async () => {
  const scheduler = newScheduler();
  let looks = 0;
  const actor = { name: "a", poll: () => void looks++ };
  scheduler.at(1, actor, () => {});
  await scheduler.run(2);
  assert.equal(looks, 1);
  scheduler.soon(actor, () => {});
  scheduler.soon(actor, () => {});
  await scheduler.run(3);
  assert.ok(looks >= 3, `${looks}`);
});

Deno.test("tasks that never end are reported, and end the run", async () => {
  let told = 0;
  const scheduler = new Scheduler(() => void told++);
  const again = (): void => scheduler.soon(null, again);
  again();
  await scheduler.run(1000);
  assert.equal(told, 1);
  assert.ok(scheduler.steps <= 100_001);
});

Deno.test("a run that is stopped stays where it is", async () => {
  const scheduler = newScheduler();
  scheduler.at(5, null, () => void (scheduler.stopped = true));
  scheduler.at(6, null, () => assert.fail("after the stop"));
  await scheduler.run(100);
  assert.equal(scheduler.nowUs, 5);
});
