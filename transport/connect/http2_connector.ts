/**
 * Links between servers: a bidirectional stream over HTTP/2, by node:http2 in Node, Deno and Bun.
 */

import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from "node:http2";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { RaftError } from "../../lib/errors.ts";
import { nodeUrl } from "../wire/address.ts";
import { PeerService } from "../wire/gen/raft/v1/peer_pb.ts";
import type { PeerConnector } from "./peer_link.ts";

/** The largest answer of a peer, which is an acknowledgement or an error. */
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Makes links of one HTTP/2 connection each, cleartext unless the address
 * begins with `https://`. The transport finds out
 * whether a peer is alive, by the acknowledgements that it requests.
 */
export function http2Connector(): PeerConnector {
  return (address) => {
    const url = nodeUrl(address);
    const sessionManager = new SingleSession(url);
    const transport = createConnectTransport({
      httpVersion: "2",
      baseUrl: url,
      sessionManager,
      useBinaryFormat: true,
      acceptCompression: [],
      readMaxBytes: MAX_ANSWER_BYTES,
    });
    return {
      async *carry(batches, signal) {
        const stream = createClient(PeerService, transport).stream(batches, { signal });
        for await (const { ack } of stream) yield ack;
      },
      close: () => sessionManager.close(),
    };
  };
}

/**
 * One connection, for one stream. Connect's own session manager removes its
 * error listener while the connection can still fail (a peer that doesn't speak
 * HTTP/2, in Deno), and such an error would end the process.
 */
class SingleSession {
  readonly authority: string;
  #session: ClientHttp2Session | undefined;
  #closed = false;

  constructor(authority: string) {
    this.authority = authority;
  }

  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: { readonly endStream?: boolean },
  ): Promise<ClientHttp2Stream> {
    if (this.#closed) throw new RaftError("closed", "the connection is closed");
    const session = this.#session = connect(this.authority);
    await new Promise<void>((resolve, reject) => {
      session.on("error", reject);
      session.once("close", () => reject(new RaftError("unreachable", `the connection to ${this.authority} ended`)));
      session.once("connect", () => resolve());
    });
    // Node and Deno would leave out the brackets of an IPv6 address.
    const { host } = new URL(this.authority);
    return session.request({ ...headers, ":authority": host, ":method": method, ":path": path }, options);
  }

  /** For the keep-alive of Connect's own manager. */
  notifyResponseByteRead(): void {}

  close(): void {
    this.#closed = true;
    this.#session?.destroy();
  }
}
