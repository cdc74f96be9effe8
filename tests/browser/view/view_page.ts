/**
 * The page of the view's tests: a pretended cluster of `?nodes=3`. With `?runs` its
 * clock follows the page's, with heartbeats; otherwise the test moves it.
 */

import { mountDemo } from "../../../browser-demo/view/mod.ts";
import type { FrameTiming } from "../../../browser-demo/view/mod.ts";
import { RaftError } from "../../../mod.ts";
import { FakeSource } from "./fake_source.ts";

const asked = new URLSearchParams(location.search);
const ids = Array.from({ length: Number(asked.get("nodes") ?? 3) }, (_, index) => `n${index + 1}`);
const source = new FakeSource(ids, { looksOnly: asked.has("looks") });
const frames: FrameTiming[] = [];

document.documentElement.lang = "en";
document.body.style.margin = "0";
const unmount = mountDemo(document.body, source, { onFrame: (timing) => frames.push(timing) });

/** Moves the clock with the page's. Each beat sends `load` times what it would. */
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

Object.assign(globalThis, { demo: { source, frames, unmount, run, RaftError } });
if (asked.has("runs")) run(0);
