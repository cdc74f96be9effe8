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
