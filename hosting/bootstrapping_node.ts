/**
 * A stand-in for a node while a new cluster waits for all of its nodes: it has a
 * status, and takes no requests.
 */

import { RaftError } from "../lib/errors.ts";
import type { NodeStatus } from "../lib/node/types.ts";
import { emptyMembership } from "../lib/raft/membership.ts";
import type { Identity } from "../lib/storage.ts";
import type { ServedNode } from "./served_node.ts";

/** A node that does not run yet. */
export class BootstrappingNode implements ServedNode {
  readonly #identity: Identity;
  readonly #startedAt: number = performance.now();
  #missing: readonly string[] = [];
  readonly #refuse = (): Promise<never> =>
    Promise.reject(new RaftError("no_leader", this.reason(), { hint: "Start the missing nodes." }));
  readonly propose: () => Promise<never> = this.#refuse;
  readonly read: () => Promise<never> = this.#refuse;
  readonly changeMembership: () => Promise<never> = this.#refuse;
  readonly transferLeadership: () => Promise<never> = this.#refuse;
  readonly takeSnapshot: () => Promise<never> = this.#refuse;

  constructor(identity: Identity) {
    this.#identity = identity;
  }

  /** Sets the names of the nodes that have not answered. */
  waitFor(missing: readonly string[]): void {
    this.#missing = missing;
  }

  /** Returns the reason why it takes no requests. */
  reason(): string {
    return this.#missing.length === 0
      ? "the node is starting"
      : `the cluster has not started: waiting for ${this.#missing.join(", ")}`;
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
      membership: emptyMembership,
      membershipIndex: 0,
      membershipCommitted: false,
      removed: false,
      peers: [],
      storage: { healthy: true, error: null },
      uptimeMs: performance.now() - this.#startedAt,
    };
  }

  addEventListener(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Refuses to watch, for a server of a key-value store. */
  watch(): AsyncIterableIterator<never> {
    return {
      next: this.#refuse,
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}
