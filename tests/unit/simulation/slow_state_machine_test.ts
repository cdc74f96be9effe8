import assert from "node:assert/strict";
import type { StateMachine } from "../../../lib/state_machine.ts";
import { MachineClock } from "../../../simulation/machine/clock.ts";
import { Process } from "../../../simulation/machine/process.ts";
import { Slowness, slowStateMachine } from "../../../simulation/machine/slow_state_machine.ts";
import { Run } from "../../../simulation/run.ts";

const SECOND = 1_000_000;

/** A state machine that notes its calls. */
class Noting implements StateMachine {
  readonly calls: string[] = [];
  #state = 0;

  apply({ index }: { readonly index: number }): Uint8Array {
    this.#state = index;
    this.calls.push(`apply ${index}`);
    return Uint8Array.of(index);
  }
  query(): Uint8Array {
    this.calls.push("query");
    return Uint8Array.of(this.#state);
  }
  async *snapshot(): AsyncIterable<Uint8Array> {
    const captured = this.#state;
    this.calls.push(`capture ${captured}`);
    yield Uint8Array.of(captured);
    await Promise.resolve();
    yield Uint8Array.of(captured);
  }
  async restore(snapshot: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const [state] of snapshot) this.#state = state!;
    this.calls.push(`restored ${this.#state}`);
  }
}

function slow(run: Run, probability: number): { inner: Noting; machine: StateMachine; process: Process } {
  const clock = new MachineClock(() => run.scheduler.nowUs, 1, 0);
  const process = new Process(run, { name: "n1" }, clock, run.decisions.stream("n1"));
  const inner = new Noting();
  const traits = { mostMs: 100, applies: probability, others: probability };
  return { inner, process, machine: slowStateMachine(inner, new Slowness(run, process, traits)) };
}

const command = (index: number) => ({ index, term: 1, data: new Uint8Array() });

Deno.test("a slow command is executed later, and a quick one at once", async () => {
  const run = new Run(1, null, false);
  const { machine, inner } = slow(run, 1);
  const answer = machine.apply(command(1));
  assert.ok(answer instanceof Promise);
  assert.deepEqual(inner.calls, []);
  await run.scheduler.run(SECOND);
  assert.deepEqual(inner.calls, ["apply 1"]);
  assert.deepEqual([...await answer], [1]);
  assert.ok(!(slow(run, 0).machine.apply(command(1)) instanceof Promise));
});

Deno.test("a slow snapshot has the state of its first call, and none of the commands after it", async () => {
  const run = new Run(2, null, false);
  const { machine, inner } = slow(run, 1);
  inner.apply(command(1));
  const chunks: number[] = [];
  const reading = (async () => {
    for await (const chunk of machine.snapshot()) chunks.push(...chunk);
  })();
  inner.apply(command(2));
  await run.scheduler.run(SECOND);
  await reading;
  assert.deepEqual(inner.calls, ["apply 1", "capture 1", "apply 2"]);
  assert.deepEqual(chunks, [1, 1]);
});

Deno.test("nothing is slow once the faults are over, and nothing ends in a dead process", async () => {
  const run = new Run(3, null, false);
  const { machine, inner, process } = slow(run, 1);
  void machine.apply(command(1));
  process.kill();
  await run.scheduler.run(SECOND);
  assert.deepEqual(inner.calls, []);
  run.calm = true;
  assert.ok(!(machine.query(new Uint8Array()) instanceof Promise));
});
