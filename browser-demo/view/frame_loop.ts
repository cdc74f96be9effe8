/**
 * The one animation loop of the view. A frame updates the parts with the changes
 * since their last update, and then lets them draw.
 */

import type { ClusterSource } from "../source.ts";
import type { ClusterModel, Topic } from "./model.ts";
import type { Part } from "./part.ts";

interface LoopPart {
  readonly part: Part;
  readonly pending: Set<Topic>;
  lastMs: number;
}

/** Updates and draws the parts in each frame, for as long as the page lives. */
export function startFrameLoop(source: ClusterSource, model: ClusterModel, parts: readonly Part[]): void {
  const all: readonly LoopPart[] = parts.map((part) => ({
    part,
    pending: new Set(part.topics),
    lastMs: Number.NEGATIVE_INFINITY,
  }));
  const frame = (frameMs: number): void => {
    requestAnimationFrame(frame);
    const changed = model.takeChanges();
    for (const one of all) {
      for (const topic of changed) if (one.part.topics.includes(topic)) one.pending.add(topic);
      if (one.pending.size === 0 || frameMs - one.lastMs < one.part.everyMs) continue;
      one.lastMs = frameMs;
      const topics = new Set(one.pending);
      one.pending.clear();
      one.part.update(topics);
    }
    const nowMs = source.now();
    for (const { part } of all) part.draw(nowMs);
  };
  requestAnimationFrame(frame);
}
