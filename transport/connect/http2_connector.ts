/**
 * Links between servers: a bidirectional stream over HTTP/2, by node:http2 in Node, Deno and Bun.
 *
 * @module
 */

import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { baseUrl } from "./address.ts";
import { type PeerConnector, streamLink } from "./peer_link.ts";

/** Options of {@linkcode http2Connector}. */
export interface Http2ConnectorOptions {
  /** How often an idle connection is probed by a PING. @default 10000 */
  readonly pingIntervalMs?: number;
  /** How long a PING may take before the connection counts as dead. @default 5000 */
  readonly pingTimeoutMs?: number;
}

/** Makes links of one HTTP/2 connection each, cleartext unless the address begins with `https://`. */
export function http2Connector(options: Http2ConnectorOptions = {}): PeerConnector {
  const { pingIntervalMs = 10_000, pingTimeoutMs = 5_000 } = options;
  return (address) => {
    const url = baseUrl(address);
    const sessionManager = new Http2SessionManager(new URL(url).origin, { pingIntervalMs, pingTimeoutMs });
    const transport = createConnectTransport({
      httpVersion: "2",
      baseUrl: url,
      sessionManager,
      useBinaryFormat: true,
      acceptCompression: [],
    });
    return streamLink(transport, () => sessionManager.abort());
  };
}
