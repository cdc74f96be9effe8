/**
 * The document of `GET /status`.
 */

import type { NodeDiagnostics, NodeStatus } from "../lib/node/types.ts";
import type { PeerLinkStatus } from "../transport/connect/mod.ts";
import { VERSION } from "./version.ts";

/** The way from a node to another member. */
export interface MemberLink extends PeerLinkStatus {
  /** The member's name. */
  readonly id: string;
  /** Its address in the membership. */
  readonly address: string;
}

/** The JSON of `GET /status`: the node's status and version, and what tells why it takes part, or does not. */
export interface StatusDocument extends NodeStatus, Partial<NodeDiagnostics> {
  readonly version: string;
  /** The reason why the node does not run, or takes no part in its cluster; absent while it does. */
  readonly reason?: string;
  /** The ways to the other members that it has sent to. */
  readonly links?: readonly MemberLink[];
}

/** The parts of the document besides the status. */
export interface StatusDetails {
  readonly reason?: string | undefined;
  readonly diagnostics?: NodeDiagnostics | undefined;
  /** Returns the state of the way to an address, if there is one. */
  link?(address: string): PeerLinkStatus | undefined;
}

/** Returns the document for a node's status. */
export function statusDocument(status: NodeStatus, details: StatusDetails = {}): StatusDocument {
  const { reason, diagnostics } = details;
  const links = status.members.flatMap(({ id, address }) => {
    const link = id === status.id ? undefined : details.link?.(address);
    return link === undefined ? [] : [{ id, address, ...link }];
  });
  return {
    ...status,
    version: VERSION,
    ...(reason === undefined ? {} : { reason }),
    ...diagnostics,
    ...(diagnostics === undefined ? {} : { links }),
  };
}
