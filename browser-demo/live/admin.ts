/**
 * The page's {@linkcode ClusterAdmin}.
 */

import { ClusterAdmin, RaftError } from "../../mod.ts";
import type { ClusterAdminOptions, NodeId } from "../../mod.ts";

/** Time for an election or two. */
const TIMEOUT_MS = 12_000;

/** Changes the cluster, and waits out whatever is over in a moment. */
export class DemoAdmin {
  readonly #admin: ClusterAdmin;

  constructor(options: Pick<ClusterAdminOptions, "transport" | "endpoints">) {
    this.#admin = new ClusterAdmin({ ...options, timeoutMs: TIMEOUT_MS, maxBackoffMs: 250 });
  }

  /** Removes a node; one that is not a member is removed already. */
  async remove(id: NodeId): Promise<void> {
    try {
      await this.#admin.remove(id, { waitUntilReady: true });
    } catch (error) {
      if (!(error instanceof RaftError) || error.code !== "invalid_argument") throw error;
    }
  }

  /** Makes the node the leader. */
  async transferLeadership(to: NodeId): Promise<void> {
    await this.#admin.transferLeadership(to, { waitUntilReady: true });
  }

  /** Makes the node at an address take a snapshot of everything that it has applied. */
  async takeSnapshot(address: string): Promise<void> {
    await this.#admin.takeSnapshot(address);
  }
}
