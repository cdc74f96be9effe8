/**
 * How the nodes and clients of one cluster reach each other: on a channel of this
 * origin, or through the relay of servers.
 *
 * @module
 */

import type { NodeId } from "../../mod.ts";
import { RelayClient } from "../../transport/relay/mod.ts";
import { BroadcastChannelTransport, tabAddress } from "../../transport/tab/mod.ts";
import type { TabTransport } from "../../transport/tab/mod.ts";
import { pageAddress } from "./addresses.ts";

/** The ways from one page. */
export interface Ways {
  /** The page's own transport, for clients. */
  readonly transport: TabTransport;
  /** What a node's worker needs to reach the others; `null` if it finds them by itself. Ends an earlier one. */
  port(id: NodeId): MessagePort | null;
  /** The node's worker was ended. */
  ended(id: NodeId): void;
}

/** On a channel of this origin, which workers find by themselves. */
export function channelWays(clusterId: string, page: string): Ways {
  const transport = new BroadcastChannelTransport({ clusterId, address: pageAddress(page) });
  return { transport, port: () => null, ended() {} };
}

/** Through the relay of these servers, which all nodes of the page share. */
export function relayWays(servers: readonly string[], page: string): Ways {
  const relay = new RelayClient({ servers });
  const transport = relay.transport({ address: pageAddress(page) });
  return {
    transport,
    port: (id) => relay.port(tabAddress(id)),
    ended: (id) => relay.removePort(tabAddress(id)),
  };
}
