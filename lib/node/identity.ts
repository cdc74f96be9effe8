/**
 * The identity of a node's storage: its name, data folder and cluster.
 */

import { RaftError, StorageError } from "../errors.ts";
import type { NodeId } from "../raft/types.ts";
import type { Identity, Storage } from "../storage.ts";

/** Returns the identity of a storage; a new storage gets the wanted one. */
export async function establishIdentity(
  storage: Storage,
  found: Identity | null,
  wanted: { readonly nodeId: NodeId; readonly incarnation: string; readonly clusterId: string },
): Promise<Identity> {
  if (found === null) {
    await storage.initialize(wanted);
    return wanted;
  }
  if (found.nodeId !== wanted.nodeId) {
    throw new StorageError(`the storage belongs to node "${found.nodeId}", not to "${wanted.nodeId}"`, {
      code: "identity_mismatch",
      disk: "unchanged",
      hint: "Start the node with the storage's own id, or with a new storage.",
    });
  }
  return found;
}

/** Checks the cluster of a storage. @throws {RaftError} `identity_mismatch` if it is another one */
export function requireCluster(identity: Identity, clusterId: string): void {
  if (identity.clusterId === "" || identity.clusterId === clusterId) return;
  throw new RaftError(
    "identity_mismatch",
    `the storage belongs to cluster "${identity.clusterId}", not to "${clusterId}"`,
    {
      hint: "Start the node with a new storage, or without bootstrap.",
    },
  );
}
