/**
 * Operations on the page's {@linkcode ClusterAdmin}.
 */

import { RaftError } from "../../mod.ts";
import type { ClusterAdmin, NodeId } from "../../mod.ts";

/** Removes a node; one that is not a member is removed already. */
export async function removeMember(admin: ClusterAdmin, id: NodeId): Promise<void> {
  try {
    await admin.remove(id, { waitUntilReady: true });
  } catch (error) {
    if (!(error instanceof RaftError) || error.code !== "invalid_argument") throw error;
  }
}
