/**
 * The part of a node that its services need.
 */

import type { RaftNode } from "../lib/node/mod.ts";

/** A node behind services. A `RaftNode` is one, and so is a stand-in that waits for the other nodes. */
export type ServedNode =
  & Pick<
    RaftNode,
    | "status"
    | "propose"
    | "read"
    | "changeMembership"
    | "transferLeadership"
    | "takeSnapshot"
    | "addEventListener"
    | "close"
  >
  & Partial<Pick<RaftNode, "diagnostics">>;
