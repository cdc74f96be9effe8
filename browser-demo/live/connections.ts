/**
 * The transports of a page and its nodes: on a channel of this origin, or through
 * the relay of servers. And the kinds of addresses.
 */

import type { NodeId } from "../../mod.ts";
import { RelayClient } from "../../transport/relay/mod.ts";
import { BroadcastChannelTransport, tabAddress } from "../../transport/tab/mod.ts";
import type { TabTransport } from "../../transport/tab/mod.ts";

/** The connections of one page. */
export interface Connections {
  /** The page's own transport, for clients. */
  readonly transport: TabTransport;
  /** Returns the port that connects a node's worker to the relay, and ends an earlier one; `null` if it needs none. */
  port(id: NodeId): MessagePort | null;
  /** Closes the port of a worker that was ended. */
  closePort(id: NodeId): void;
}

/** Connects by a channel of this origin, which workers open by themselves. */
export function channelConnections(clusterId: string, page: string): Connections {
  const transport = new BroadcastChannelTransport({ clusterId, address: pageAddress(page) });
  return { transport, port: () => null, closePort() {} };
}

/** Connects through the relay of these servers, which all nodes of the page share. */
export function relayConnections(servers: readonly string[], page: string): Connections {
  const relay = new RelayClient({ servers });
  return {
    transport: relay.transport({ address: pageAddress(page) }),
    port: (id) => relay.port(tabAddress(id)),
    closePort: (id) => relay.removePort(tabAddress(id)),
  };
}

/** Returns the address at which a page receives the answers to its calls. */
function pageAddress(page: string): string {
  return tabAddress(`page-${page}`);
}

/** Reports whether the address is that of a page, which is a client and not a node. */
export function isPageAddress(address: string): boolean {
  return address.startsWith(tabAddress("page-"));
}

/** Reports whether the address is that of a server. */
export function isServerAddress(address: string): boolean {
  return /^https?:/.test(address);
}
