/**
 * Pages and servers that a relay joins, on free ports of this machine.
 *
 * @module
 */

import { listen } from "../../../../server/listen.ts";
import type { Listener } from "../../../../server/listener.ts";
import { ServerRelay } from "../../../../server/relay.ts";
import type { TransportEndpoint, TransportFixture } from "../../../../transport/conformance.ts";
import { createConnectClientTransport } from "../../../../transport/connect/client_transport.ts";
import { ConnectTransport } from "../../../../transport/connect/connect_transport.ts";
import {
  connectFetchHandler,
  createRaftRoutes,
  type RaftServices,
} from "../../../../transport/connect/fetch_handler.ts";
import { http2Connector } from "../../../../transport/connect/http2_connector.ts";
import { peerService } from "../../../../transport/connect/peer_service.ts";
import { relayService } from "../../../../transport/relay/relay_service.ts";
import {
  RelayClient,
  type RelayClientOptions,
  RelayHub,
  type RelayHubOptions,
  relayPortTransport,
} from "../../../../transport/relay/mod.ts";
import { goneAddress, serveNothing } from "../connect/connect_fixture.ts";

/** A hub with its server. */
export interface ServedHub {
  readonly hub: RelayHub;
  readonly url: string;
  close(): Promise<void>;
}

async function listening(
  hub: () => RelayHub,
  port: number,
  services: RaftServices = {},
): Promise<Listener & { readonly url: string }> {
  const routes = connectFetchHandler(createRaftRoutes({
    ...services,
    relay: {
      attach: (request, context) => relayService(hub()).attach(request, context),
      announce: (request, context) => relayService(hub()).announce(request, context),
      forward: (request, context) => relayService(hub()).forward(request, context),
    },
  }));
  const listener = await listen({
    hostname: "127.0.0.1",
    port,
    handler: async (request) => await routes(request) ?? new Response("not found", { status: 404 }),
  });
  return { ...listener, url: `http://127.0.0.1:${listener.port}` };
}

/** A hub alone, without a node, behind a port. */
export async function serveHub(options: Partial<RelayHubOptions> = {}, port = 0): Promise<ServedHub> {
  let hub: RelayHub | null = null;
  const { url, close } = await listening(() => hub!, port);
  hub = new RelayHub({ address: url, keepAliveMs: 100, ...options });
  const made = hub;
  return {
    hub: made,
    url,
    async close() {
      made.close();
      await close(0);
    },
  };
}

/** A page's end of the relay, impatient. */
export function pageOf(servers: readonly string[], options: Partial<RelayClientOptions> = {}): RelayClient {
  return new RelayClient({ servers, locks: null, minBackoffMs: 20, maxBackoffMs: 100, ...options });
}

let lastTab = 0;

/** An address that no other node has. */
export function newTab(): string {
  return `tab:t${++lastTab}`;
}

/** `worker`: behind a port to the page's relay. */
type End = "page" | "worker" | "server";

/** The sender and the receiver in the suites. */
export const RELAY_ENDS: readonly (readonly [End, End])[] = [
  ["page", "page"],
  ["page", "server"],
  ["server", "page"],
  ["worker", "worker"],
  ["worker", "server"],
];

/** Endpoints for the conformance suite, of both kinds in turn. */
export function relayFixture(first: End, second: End): TransportFixture {
  const closing: { close(): Promise<void> }[] = [];
  /** Servers with a node: pages learn of them from the hub. */
  const servers = new Set<string>();
  const hub = serveHub({ servers: () => [...servers] });
  let opened = 0;

  const openTab = async (address: string, end: End): Promise<TransportEndpoint> => {
    const relay = pageOf([(await hub).url]);
    const transport = end === "worker"
      ? relayPortTransport({ address, port: relay.port(address) })
      : relay.transport({ address });
    return {
      transport,
      address,
      async close() {
        await transport.close();
        await relay.close();
      },
    };
  };
  const openServer = async (port: number): Promise<TransportEndpoint> => {
    let relay: ServerRelay | null = null;
    const transport = new ConnectTransport({ connector: http2Connector() });
    const identify = () => {
      throw new Error("no node asks here");
    };
    const listener = await listening(() => relay!.hub, port, { peer: peerService(transport, identify) });
    const made = relay = new ServerRelay({
      address: listener.url,
      members: () => [],
      transport,
      client: createConnectClientTransport(),
    });
    servers.add(listener.url);
    return {
      transport: made.transport,
      address: listener.url,
      async close() {
        servers.delete(listener.url);
        await made.transport.close();
        await listener.close(0);
      },
    };
  };
  const kept = (endpoint: TransportEndpoint): TransportEndpoint => {
    let ended: Promise<void> | undefined;
    const once = { ...endpoint, close: () => ended ??= endpoint.close() };
    closing.push(once);
    return once;
  };
  return {
    async open(address) {
      if (address?.startsWith("tab:")) return kept(await openTab(address, second));
      if (address !== undefined) return kept(await openServer(Number(new URL(address).port)));
      const end = opened++ % 2 === 0 ? first : second;
      return kept(end === "server" ? await openServer(0) : await openTab(newTab(), end));
    },
    gone: async () => second !== "server" ? newTab() : `http://${await goneAddress()}`,
    async hanging() {
      const server = await serveNothing();
      closing.push(server);
      return { address: `http://${server.address}`, close: () => Promise.resolve() };
    },
    async close() {
      for (const { close } of closing) await close();
      await (await hub).close();
    },
  };
}
