/// <reference lib="dom" />
/** Lives of one node after the other, each ended in the middle of its writes. */

import { Workload } from "./indexeddb_workload.ts";

/** How much of what was under way was found to be there. */
export interface Lives {
  readonly steps: number;
  /** Lives after which nothing but what was acknowledged was there. */
  readonly cut: number;
  /** Lives after which a batch was there that nobody had acknowledged. */
  readonly more: number;
}

/** The first message of a worker; rejects if the worker fails. */
function message<Data>(worker: Worker): Promise<Data> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
  });
}

/** Lets so many turns of the event loop pass: a moment that differs, without a clock. */
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
 * Finds the step whose state a storage holds.
 *
 * @throws {Error} if something is lost that was acknowledged, or there is something that no step leaves
 */
function stepOf(seed: number, acknowledged: number, found: string): number {
  const workload = new Workload(seed);
  while (workload.steps < acknowledged) workload.next();
  const expected = workload.state;
  // Acknowledgements may be lost on their way from a worker that is killed.
  for (let more = 0; more < 200; more++) {
    if (workload.state === found) return workload.steps;
    workload.next();
  }
  throw new Error(`after step ${acknowledged}\nfound    ${found}\nexpected ${expected} or what comes next`);
}

/** Opens the node in a worker, and checks what it holds; gives the worker, and the step it stands at. */
async function begin(seed: number, acknowledged: number): Promise<{ worker: Worker; step: number }> {
  const worker = new Worker(`/tests/browser/indexeddb_crash_worker.js?seed=${seed}`, { type: "module" });
  const found = await message<string>(worker);
  return { worker, step: stepOf(seed, acknowledged, found) };
}

/** Kills a worker in the middle of its writes, `lives` times, and checks what is there after each. */
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

/** Writes until the browser is killed, and tells of each step; checks first what an earlier browser has left. */
async function writeOn(seed: number, acknowledged: number, tell: (step: number | string) => void): Promise<number> {
  const { worker, step } = await begin(seed, acknowledged);
  worker.onmessage = ({ data }) => tell(data);
  worker.postMessage(step);
  return step;
}

Object.assign(globalThis, { killWorkers, writeOn });
