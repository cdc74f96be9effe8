import assert from "node:assert/strict";
import type { CDPSession } from "playwright-core";
import type { Demo } from "./view_suite.ts";
import { viewSuite } from "./view_suite.ts";

/** The times of frames during a few seconds. */
interface Frames {
  readonly count: number;
  readonly intervalMedianMs: number;
  readonly intervalP95Ms: number;
  readonly workMedianMs: number;
  readonly workP95Ms: number;
}

const MEASURE = `new Promise((done) => { globalThis.demo.frames.length = 0; setTimeout(() => {
  const at = (values, part) => values.sort((a, b) => a - b)[Math.floor(values.length * part)];
  const frames = globalThis.demo.frames.splice(0).slice(1);
  const [intervals, works] = [frames.map((one) => one.intervalMs), frames.map((one) => one.workMs)];
  done({
    count: frames.length,
    intervalMedianMs: at(intervals, 0.5), intervalP95Ms: at(intervals, 0.95),
    workMedianMs: at(works, 0.5), workP95Ms: at(works, 0.95),
  });
}, 4000); })`;

/** Measures for a while, and prints the results. */
async function measure(demo: Demo, session: CDPSession): Promise<Frames> {
  const spent = async (): Promise<number> => {
    const { metrics } = await session.send("Performance.getMetrics");
    return 1000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0);
  };
  const before = await spent();
  const measured = await demo.page.evaluate(MEASURE) as Frames;
  // The page's whole main thread: layout, style and the fake cluster too.
  const all = { ...measured, mainThreadMs: (await spent() - before) / measured.count };
  const text = Object.entries(all).map(([name, value]) => `${name} ${Number(value).toFixed(1)}`).join(", ");
  console.log(`frames with seven nodes: ${text}`);
  return measured;
}

viewSuite("frames", [
  {
    name: "with seven nodes and hundreds of entries a second, the work of a frame is done before the next",
    query: "nodes=7",
    async run(demo) {
      await demo.script("s.elect('n1'); demo.run(3)");
      const session = await demo.page.context().newCDPSession(demo.page);
      await session.send("Performance.enable");
      // The machine may be busy with something else for a while: one quiet stretch of three is enough.
      const tried: Frames[] = [];
      const isGood = ({ workMedianMs, workP95Ms }: Frames): boolean => workMedianMs < 8 && workP95Ms < 16;
      while (tried.length < 3 && !tried.some(isGood)) tried.push(await measure(demo, session));
      assert.ok(tried.some(isGood), JSON.stringify(tried));
    },
  },
]);
