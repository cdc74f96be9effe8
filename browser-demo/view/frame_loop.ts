/**
 * The one animation loop of the view. A frame tells the parts what changed since
 * they were last told, and then lets them draw what moves.
 *
 * @module
 */

import type { ClusterSource } from "../source.ts";
import type { ClusterModel, Topic } from "./model.ts";
import type { Part } from "./part.ts";

/** What a frame took. */
export interface FrameTiming {
  /** How long its work took. */
  readonly workMs: number;
  /** How long after the last one it came. */
  readonly intervalMs: number;
}

interface Told {
  readonly part: Part;
  readonly waiting: Set<Topic>;
  lastMs: number;
}

/** Runs the frames, from the construction until `stop`. */
export class FrameLoop {
  readonly #source: ClusterSource;
  readonly #model: ClusterModel;
  readonly #parts: readonly Told[];
  readonly #timed: ((timing: FrameTiming) => void) | undefined;
  #request = 0;
  #lastFrameMs = -1;
  #lastSourceMs = 0;
  #rate = 1;

  constructor(
    source: ClusterSource,
    model: ClusterModel,
    parts: readonly Part[],
    timed?: (timing: FrameTiming) => void,
  ) {
    this.#source = source;
    this.#model = model;
    this.#timed = timed;
    this.#parts = parts.map((part) => ({ part, waiting: new Set(part.topics), lastMs: Number.NEGATIVE_INFINITY }));
    this.#request = requestAnimationFrame(this.#frame);
  }

  /** How fast the source's time goes; a source that stands still keeps the last rate. */
  get rate(): number {
    return this.#rate;
  }

  stop(): void {
    cancelAnimationFrame(this.#request);
  }

  readonly #frame = (frameMs: number): void => {
    this.#request = requestAnimationFrame(this.#frame);
    const began = performance.now();
    const nowMs = this.#source.now();
    this.#measureRate(frameMs, nowMs);
    const changed = this.#model.takeChanges();
    for (const told of this.#parts) {
      for (const topic of changed) if (told.part.topics.includes(topic)) told.waiting.add(topic);
      if (told.waiting.size === 0 || frameMs - told.lastMs < told.part.everyMs) continue;
      told.lastMs = frameMs;
      const topics = new Set(told.waiting);
      told.waiting.clear();
      told.part.update(topics);
    }
    for (const { part } of this.#parts) part.draw(nowMs);
    const intervalMs = this.#lastFrameMs < 0 ? 0 : frameMs - this.#lastFrameMs;
    this.#lastFrameMs = frameMs;
    this.#timed?.({ workMs: performance.now() - began, intervalMs });
  };

  #measureRate(frameMs: number, nowMs: number): void {
    const [passed, sourcePassed] = [frameMs - this.#lastFrameMs, nowMs - this.#lastSourceMs];
    this.#lastSourceMs = nowMs;
    // Not after a pause of the page, nor after a jump of the source.
    if (this.#lastFrameMs < 0 || passed <= 0 || passed > 250 || sourcePassed <= 0) return;
    this.#rate += (Math.min(sourcePassed / passed, 20) - this.#rate) * 0.1;
  }
}
