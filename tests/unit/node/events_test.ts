import assert from "node:assert/strict";
import { EventHub } from "../../../lib/node/events.ts";

function hub() {
  const tasks: (() => void)[] = [];
  const events = new EventHub((task) => void tasks.push(task));
  const run = () => {
    for (const task of tasks.splice(0)) task();
  };
  return { events, run, tasks };
}

Deno.test("listeners run in a task of their own, in order", () => {
  const { events, run } = hub();
  const heard: number[] = [];
  events.add("applied", ({ detail }) => heard.push(detail.index));
  events.emit("applied", { index: 1 });
  events.emit("applied", { index: 2 });
  assert.deepEqual(heard, []);
  run();
  assert.deepEqual(heard, [1, 2]);
});

Deno.test("events without listeners are not buffered, and a removed listener receives nothing", () => {
  const { events, run, tasks } = hub();
  events.emit("applied", { index: 1 });
  assert.equal(tasks.length, 0);
  const listener = () => assert.fail("it was removed");
  events.add("applied", listener);
  events.remove("applied", listener);
  events.emit("applied", { index: 1 });
  run();
});

Deno.test("the buffer is bounded, and dropped events are counted", () => {
  const { events, run } = hub();
  let heard = 0;
  events.add("applied", () => heard++);
  for (let index = 0; index < 10_000; index++) events.emit("applied", { index });
  run();
  assert(heard > 1000 && heard < 10_000);
  assert.equal(heard + events.dropped, 10_000);
});

Deno.test("an error in one listener reaches neither the others nor the core", () => {
  const { events, run } = hub();
  let heard = 0;
  events.add("applied", () => {
    throw new Error("fault");
  });
  events.add("applied", () => heard++);
  events.emit("applied", { index: 1 });
  run();
  assert.equal(heard, 1);
});
