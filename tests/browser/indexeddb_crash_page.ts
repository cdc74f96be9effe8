/// <reference lib="dom" />
/** Runs one node repeatedly, and kills it each time during its writes. */

import { Workload } from "./indexeddb_workload.ts";

/** Counts of the states found after crashes. */
export interface Lives {
  readonly steps: number;
  /** Runs after which only acknowledged batches were stored. */
  readonly cut: number;
  /** Runs after which an unacknowledged batch was stored, too. */
  readonly more: number;
}

/** Resolves with the first message of a worker, and rejects if the worker fails. */
function message<Data>(worker: Worker): Promise<Data> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
  });
}

/** Waits for a number of turns of the event loop: a varying moment without a clock. */
async function turns(count: number): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  for (let turn = 0; turn < count; turn++) {
    await new Promise((resolve) => {
      port1.onmessage = resolve;
      port2.postMessage(null);
    });
  }
  port1.close();
}

/**
 * Returns the step whose state a storage holds.
 *
 * @throws {Error} if something acknowledged is lost, or if it is the state of no step
 */
function stepOf(seed: number, acknowledged: number, found: string): number {
  const workload = new Workload(seed);
  while (workload.steps < acknowledged) workload.next();
  const expected = workload.state;
  // A worker that is killed may lose acknowledgements on their way; on a busy machine they lag by thousands.
  for (let more = 0; more < 10_000; more++) {
    if (workload.state === found) return workload.steps;
    workload.next();
  }
  throw new Error(`after step ${acknowledged}\nfound    ${found}\nexpected ${expected} or one of the next 10,000`);
}

/** Opens the node in a worker, checks its state, and returns the worker and its step. */
async function begin(seed: number, acknowledged: number): Promise<{ worker: Worker; step: number }> {
  const worker = new Worker(`/tests/browser/indexeddb_crash_worker.js?seed=${seed}`, { type: "module" });
  const found = await message<string>(worker);
  return { worker, step: stepOf(seed, acknowledged, found) };
}

/** Kills a worker in the middle of its writes, `lives` times, and checks the storage after each. */
async function killWorkers(seed: number, lives: number): Promise<Lives> {
  let acknowledged = 0;
  let [cut, more] = [0, 0];
  for (let life = 0; life <= lives; life++) {
    const { worker, step } = await begin(seed, acknowledged);
    if (life > 0 && step === acknowledged) cut++;
    else if (life > 0) more++;
    acknowledged = step;
    const enough = Promise.withResolvers<void>();
    const last = step + 1 + life % 7;
    worker.onmessage = ({ data }: MessageEvent<number | string>) => {
      if (typeof data === "string") return enough.reject(new Error(data));
      acknowledged = data;
      if (data >= last) enough.resolve();
    };
    worker.postMessage(step);
    await enough.promise;
    await turns(life * 13 % 60);
    worker.terminate();
  }
  return { steps: acknowledged, cut, more };
}

/** Checks the storage that an earlier browser left, then writes until the browser is killed, and reports each step. */
async function writeOn(seed: number, acknowledged: number, tell: (step: number | string) => void): Promise<number> {
  const { worker, step } = await begin(seed, acknowledged);
  worker.onmessage = ({ data }) => tell(data);
  worker.postMessage(step);
  return step;
}

Object.assign(globalThis, { killWorkers, writeOn });
