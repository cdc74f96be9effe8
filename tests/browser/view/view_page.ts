/**
 * The page of the view's tests: a fake cluster of `?nodes=3`. With `?runs` its clock
 * follows the page's, with heartbeats; otherwise the test moves it.
 */

import { mountDemo } from "../../../browser-demo/view/mod.ts";
import { RaftError } from "../../../mod.ts";
import { FakeSource } from "./fake_source.ts";

const parameters = new URLSearchParams(location.search);
const ids = Array.from({ length: Number(parameters.get("nodes") ?? 3) }, (_, index) => `n${index + 1}`);
const source = new FakeSource(ids);
const frames: { workMs: number; intervalMs: number }[] = [];

document.documentElement.lang = "en";
document.body.style.margin = "0";
measureFrames();
mountDemo(document.body, source);

/** Measures the work of each frame, and the time since the frame before. */
function measureFrames(): void {
  const request = globalThis.requestAnimationFrame.bind(globalThis);
  let lastMs = 0;
  globalThis.requestAnimationFrame = (frame) =>
    request((frameMs) => {
      const startMs = performance.now();
      frame(frameMs);
      frames.push({ workMs: performance.now() - startMs, intervalMs: frameMs - lastMs });
      lastMs = frameMs;
    });
}

/** Moves the clock with the page's, and appends `load` entries at each step. */
function run(load: number): void {
  let last = performance.now();
  let beats = 0;
  setInterval(() => {
    const now = performance.now();
    source.advance(now - last);
    last = now;
    if (++beats % 15 === 0) source.beat();
    if (load > 0 && source.leader() !== undefined) {
      for (let index = 0; index < load; index++) source.append("command", `put k${beats} = ${index}`);
    }
  }, 10);
}

Object.assign(globalThis, { demo: { source, frames, run, RaftError } });
if (parameters.has("runs")) run(0);
