/**
 * Connect's calls as calls between nodes, and the other way round: what a server
 * asks of a tab, and a tab of a server, goes through the relay, and is answered
 * by the services that answer everyone.
 *
 * @module
 */

import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import { RaftError } from "../../lib/errors.ts";
import type { CallHandler } from "../packet/methods.ts";
import type { CallSender } from "../packet/packet_client.ts";
import { fromConnectError } from "../wire/connect_errors.ts";
import { refusal } from "./fetch_handler.ts";
import type { Fetch } from "./http_client.ts";

/** Stands where a URL has a host, and is never looked up. */
export const NO_HOST = "http://relay.invalid";

/**
 * Answers calls by the unary methods behind `handler`.
 *
 * @internal
 */
export function servedCalls(handler: (request: Request) => Promise<Response | null>): CallHandler {
  return async (method, request, { signal }) => {
    const init = {
      method: "POST",
      headers: { "content-type": "application/proto" },
      body: new Uint8Array(request),
      signal,
    };
    const response = await handler(new Request(`${NO_HOST}/${method}`, init));
    if (response === null) throw new RaftError("unsupported", `there is no method ${method} here`);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    const fallback = new ConnectError(`status ${response.status}`, Code.Unknown);
    throw fromConnectError(errorFromJson(await response.json(), undefined, fallback));
  };
}

/**
 * Carries unary calls of Connect to the node at `address`.
 *
 * @internal
 */
export function callFetch(address: string, call: CallSender): Fetch {
  return async (url, { body, signal }) => {
    const method = new URL(url).pathname.slice(1);
    const request = new Uint8Array(await new Response(body ?? null).arrayBuffer());
    try {
      const answer = await call(address, method, request, signal ? { signal } : {});
      return new Response(new Uint8Array(answer), { headers: { "content-type": "application/proto" } });
    } catch (error) {
      return refusal(500, error instanceof RaftError ? error : fromConnectError(error));
    }
  };
}
