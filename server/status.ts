/**
 * What `GET /status` says.
 *
 * @module
 */

import type { NodeStatus } from "../lib/node/types.ts";
import { VERSION } from "./version.ts";

/** The JSON of `GET /status`: the node's own status, its version, and while it starts, what it waits for. */
export interface StatusDocument extends NodeStatus {
  readonly version: string;
  /** Why the node doesn't run yet, or no longer; absent while it runs. */
  readonly reason?: string;
}

/** Turns a node's status into the document. */
export function statusDocument(status: NodeStatus, reason?: string): StatusDocument {
  return { ...status, version: VERSION, ...(reason === undefined ? {} : { reason }) };
}

/** The status of a node that waits for its cluster to form: it has an identity, and nothing else. */
export function waitingStatus(id: string, incarnation: string, uptimeMs: number): NodeStatus {
  const nobody = { voters: [], outgoing: [], learners: [], learnersNext: [], members: [] };
  return {
    id,
    incarnation,
    clusterId: "",
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
    membership: nobody,
    membershipIndex: 0,
    membershipCommitted: false,
    peers: [],
    storage: { healthy: true, error: null },
    uptimeMs,
  };
}
