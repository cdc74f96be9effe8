/**
 * Each node's own value of the watched key, by a stale read whenever the node has
 * applied something.
 */

import type { NodeId } from "../../mod.ts";
import type { ClusterSource } from "../source.ts";
import type { ClusterModel } from "./model.ts";

/** The last read from a node. */
interface Seen {
  readonly key: string;
  readonly appliedIndex: number;
}

/** Keeps the values of the model current. */
export class ValueWatch {
  readonly #model: ClusterModel;
  readonly #source: ClusterSource;
  readonly #seen = new Map<NodeId, Seen>();
  readonly #asking = new Set<NodeId>();

  constructor(model: ClusterModel, source: ClusterSource) {
    this.#model = model;
    this.#source = source;
  }

  /** Reads from nodes that may have a new value. */
  refresh(): void {
    if (this.#model.watchedKey === "") return;
    for (const { id, life, appliedIndex } of this.#model.nodes.values()) {
      const seen = this.#seen.get(id);
      if (life !== "running") {
        this.#seen.delete(id);
        if (this.#model.values.delete(id)) this.#model.touch("values");
        continue;
      }
      if (this.#asking.has(id)) continue;
      if (seen?.key === this.#model.watchedKey && seen.appliedIndex === appliedIndex) continue;
      void this.#read(id, { key: this.#model.watchedKey, appliedIndex });
    }
  }

  async #read(id: NodeId, seen: Seen): Promise<void> {
    this.#asking.add(id);
    this.#seen.set(id, seen);
    try {
      const { value } = await this.#source.get(seen.key, "stale", id);
      if (seen.key === this.#model.watchedKey) this.#model.values.set(id, value);
    } catch {
      // It has just stopped, or does not answer: its value is not known.
      this.#model.values.delete(id);
    } finally {
      this.#asking.delete(id);
      this.#model.touch("values");
    }
  }
}
