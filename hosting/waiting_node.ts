/**
 * Stands in while a new cluster waits for all of its nodes: it has a status,
 * and takes no requests.
 *
 * @module
 */

import { RaftError } from "../lib/errors.ts";
import type { NodeStatus } from "../lib/node/types.ts";
import type { Identity } from "../lib/storage.ts";
import type { ServedNode } from "./served_node.ts";

const NOBODY = { voters: [], outgoing: [], learners: [], learnersNext: [], members: [] };

/** A node that doesn't run yet. */
export class WaitingNode implements ServedNode {
  readonly #identity: Identity;
  readonly #startedAt: number = performance.now();
  #missing: readonly string[] = [];

  constructor(identity: Identity) {
    this.#identity = identity;
  }

  /** Says who hasn't answered. */
  waitFor(missing: readonly string[]): void {
    this.#missing = missing;
  }

  /** What it waits for, in a sentence. */
  reason(): string {
    return this.#missing.length === 0
      ? "The node is starting."
      : `The cluster has not begun: waiting for ${this.#missing.join(", ")}.`;
  }

  status(): NodeStatus {
    const { nodeId: id, incarnation, clusterId } = this.#identity;
    return {
      id,
      incarnation,
      clusterId,
      lifecycle: "running",
      role: "follower",
      term: 0,
      leader: null,
      commitIndex: 0,
      appliedIndex: 0,
      durableIndex: 0,
      lastIndex: 0,
      firstIndex: 1,
      snapshotIndex: 0,
      members: [],
      membership: NOBODY,
      membershipIndex: 0,
      membershipCommitted: false,
      peers: [],
      storage: { healthy: true, error: null },
      uptimeMs: performance.now() - this.#startedAt,
    };
  }

  propose(): Promise<never> {
    return this.#refuse();
  }

  read(): Promise<never> {
    return this.#refuse();
  }

  changeMembership(): Promise<never> {
    return this.#refuse();
  }

  transferLeadership(): Promise<never> {
    return this.#refuse();
  }

  takeSnapshot(): Promise<never> {
    return this.#refuse();
  }

  addEventListener(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** For a server that would serve the changes of a key-value store. */
  watch(): AsyncIterableIterator<never> {
    const refuse = (): Promise<never> => this.#refuse();
    return {
      next: refuse,
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  #refuse(): Promise<never> {
    return Promise.reject(new RaftError("no_leader", this.reason(), { hint: "Start the nodes that are missing." }));
  }
}
