/**
 * Calls of tabs, answered by the Connect services of a server.
 */

import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import { RaftError } from "../../lib/errors.ts";
import type { CallHandler } from "../packet/methods.ts";
import { fromConnectError } from "../wire/connect_errors.ts";

/** Stands where a URL has a host, and is never looked up. */
const NO_HOST = "http://relay.invalid";

/** Answers calls by the unary methods behind `handler`. */
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
