/**
 * The document of `GET /status`.
 */

import type { NodeStatus } from "../lib/node/types.ts";
import { VERSION } from "./version.ts";

/** The JSON of `GET /status`: the node's status and version, and the reason if it does not run. */
export interface StatusDocument extends NodeStatus {
  readonly version: string;
  /** The reason why the node does not run; absent while it runs. */
  readonly reason?: string;
}

/** Returns the document for a node's status. */
export function statusDocument(status: NodeStatus, reason?: string): StatusDocument {
  return { ...status, version: VERSION, ...(reason === undefined ? {} : { reason }) };
}
