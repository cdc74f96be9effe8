/**
 * Calls of a server's RelayService by a page, over `fetch`.
 */

import { type Client, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { abortedError, RaftError } from "../../lib/errors.ts";
import type { Fetch } from "../connect/rpc_types.ts";
import { fromConnectError } from "../wire/connect_errors.ts";
import { wholeFrames } from "../wire/frames.ts";
import { RaftErrorDetailSchema } from "../wire/gen/raft/v1/error_pb.ts";
import { RelayService } from "../wire/gen/raft/v1/relay_pb.ts";

/** Returns a client of the server at `baseUrl`. Its errors become RaftErrors by {@linkcode relayError}. */
export function relayCalls(baseUrl: string, fetch: Fetch): Client<typeof RelayService> {
  return createClient(
    RelayService,
    createConnectTransport({
      baseUrl,
      useBinaryFormat: true,
      fetch: async (url, init) =>
        wholeFrames(await fetch(String(url), { ...init, cache: "no-store", redirect: "error" })),
    }),
  );
}

/**
 * Converts what a call threw. A browser doesn't say why a fetch failed, so
 * anything that isn't an answer of the server is `unreachable`, outcome unknown.
 */
export function relayError(thrown: unknown, baseUrl: string, signal: AbortSignal): RaftError {
  if (signal.aborted) return abortedError(signal, "unknown");
  const error = fromConnectError(thrown);
  if (error.code !== "internal" || ConnectError.from(thrown).findDetails(RaftErrorDetailSchema).length > 0) {
    return error;
  }
  return new RaftError("unreachable", `the connection to ${baseUrl} failed`, {
    outcome: "unknown",
    hint: "Check that a server runs there, and that it was told to allow this page: --allow-origin ORIGIN.",
    cause: error,
  });
}
