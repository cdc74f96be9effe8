import assert from "node:assert/strict";
import { World } from "../../../simulation/world.ts";

const MANY = 1_000_000;

function newWorld(): World {
  return new World(() => assert.fail("the tasks never end"));
}

Deno.test("events happen in the order of their time, then of their age; none before its time", async () => {
  const world = newWorld();
  const seen: string[] = [];
  const note = (what: string) => () => void seen.push(`${what} ${world.nowUs}`);
  world.at(300, null, note("c"));
  world.at(100, null, note("a"));
  world.at(100, null, note("b"));
  const cancel = world.at(200, null, note("cancelled"));
  world.at(150, null, cancel);
  await world.run(299, MANY);
  assert.deepEqual(seen, ["a 100", "b 100"]);
  assert.equal(world.nowUs, 299);
  await world.run(400, MANY);
  assert.deepEqual(seen.slice(2), ["c 300"]);
});

Deno.test("promises settle, and queued tasks run, before time goes on", async () => {
  const world = newWorld();
  const seen: string[] = [];
  world.at(10, null, () => {
    (async () => {
      for (let i = 0; i < 50; i++) await null;
      seen.push("promise");
    })();
    world.soon(null, () => {
      seen.push("task");
      world.soon(null, () => seen.push("task of a task"));
    });
  });
  world.at(10, null, () => seen.push("next event"));
  await world.run(20, MANY);
  assert.deepEqual(seen, ["promise", "task", "task of a task", "next event"]);
});

Deno.test("sleepers wake in order, on a clock that nobody waits for", async () => {
  const world = newWorld();
  const woken: number[] = [];
  for (const hours of [3, 1, 2]) world.sleep(hours * 3600 * 1_000_000).then(() => void woken.push(hours));
  await world.run(4 * 3600 * 1_000_000, MANY);
  assert.deepEqual(woken, [1, 2, 3]);
});

Deno.test("whom an event happens to is looked at after it, once for a task and once for an event", async () => {
  const world = newWorld();
  let looks = 0;
  const actor = { name: "a", look: () => void looks++ };
  world.at(1, actor, () => {});
  await world.run(2, MANY);
  assert.equal(looks, 1);
  world.soon(actor, () => {});
  world.soon(actor, () => {});
  await world.run(3, MANY);
  assert.ok(looks >= 3, `${looks}`);
});

Deno.test("tasks that never end are told of, and end the run", async () => {
  let told = 0;
  const world = new World(() => void told++);
  const again = (): void => world.soon(null, again);
  again();
  await world.run(1000, MANY);
  assert.equal(told, 1);
  assert.ok(world.steps <= 100_001);
});

Deno.test("a run that is stopped stays where it is", async () => {
  const world = newWorld();
  world.at(5, null, () => world.stop());
  world.at(6, null, () => assert.fail("after the stop"));
  await world.run(100, MANY);
  assert.equal(world.nowUs, 5);
});
