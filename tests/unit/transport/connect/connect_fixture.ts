/**
 * Connect transports with real servers on free ports.
 *
 * @module
 */

import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { systemHost } from "../../../../lib/host.ts";
import { listen } from "../../../../server/listen.ts";
import type { TransportEndpoint, TransportFixture } from "../../../../transport/conformance.ts";
import { ConnectTransport, type ConnectTransportOptions } from "../../../../transport/connect/connect_transport.ts";
import { connectFetchHandler, createRaftRoutes } from "../../../../transport/connect/fetch_handler.ts";
import { http2Connector } from "../../../../transport/connect/http2_connector.ts";
import { peerService } from "../../../../transport/connect/peer_service.ts";

export { pause, until } from "../../../support/tab_transports.ts";

/** A server on a free port, or the one given. */
export function serve(
  handler: (request: Request) => Promise<Response | null>,
  port = 0,
): { readonly address: string; close(): Promise<void> } {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port, onListen() {}, onError: () => new Response(null, { status: 500 }) },
    async (request) => (await handler(request)) ?? new Response("not found", { status: 404 }),
  );
  return { address: `127.0.0.1:${server.addr.port}`, close: () => server.shutdown() };
}

/** A Connect transport with its server. */
export interface ServedTransport extends TransportEndpoint {
  readonly transport: ConnectTransport;
}

type Handler = (request: Request) => Promise<Response | null>;

/** A transport, and what is to be served for it. */
function handledTransport(
  options: Partial<ConnectTransportOptions>,
): { transport: ConnectTransport; handler: Handler } {
  const transport = new ConnectTransport({ connector: http2Connector(), ...options });
  const identify = () => {
    throw new Error("no node asks here");
  };
  return { transport, handler: connectFetchHandler(createRaftRoutes({ peer: peerService(transport, identify) })) };
}

/** Makes one. */
export function serveTransport(options: Partial<ConnectTransportOptions> = {}, address?: string): ServedTransport {
  const { transport, handler } = handledTransport(options);
  const server = serve(handler, address === undefined ? 0 : Number(address.split(":")[1]));
  return {
    transport,
    address: server.address,
    async close() {
      await transport.close();
      await server.close();
    },
  };
}

/** Accepts connections, reads everything, and never answers. */
export async function serveNothing(): Promise<
  { readonly address: string; connections(): number; close(): Promise<void> }
> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.pause();
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

/** An address without a listener: its port was free a moment ago. */
export async function goneAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  return address;
}

/** A fixture for the conformance suite, in any runtime. */
export function connectFixture(options: Partial<ConnectTransportOptions> = {}): TransportFixture {
  const open = new Set<{ close(): Promise<void> }>();
  const host = systemHost();
  return {
    async open(address) {
      const { transport, handler } = handledTransport({ host, ...options });
      const listener = await listen({
        hostname: "127.0.0.1",
        port: address === undefined ? 0 : Number(address.split(":")[1]),
        handler: async (request) => (await handler(request)) ?? new Response("not found", { status: 404 }),
      });
      const endpoint = {
        async close() {
          await transport.close();
          await listener.close(0);
        },
      };
      open.add(endpoint);
      const close = async (): Promise<void> => {
        if (open.delete(endpoint)) await endpoint.close();
      };
      return { transport, address: `127.0.0.1:${listener.port}`, close };
    },
    gone: goneAddress,
    async hanging() {
      const server = await serveNothing();
      open.add(server);
      const close = async (): Promise<void> => {
        if (open.delete(server)) await server.close();
      };
      return { address: server.address, close };
    },
    async close() {
      // Senders first: a server waits for the streams that are open to it.
      for (const endpoint of open) await endpoint.close();
    },
  };
}
