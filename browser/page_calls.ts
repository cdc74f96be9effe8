/**
 * The calls of a page to its node.
 */

import type { AdminTransport, ClientTransport } from "../lib/client/client_transport.ts";
import type { ServedNode } from "../hosting/served_node.ts";
import type { CallTable } from "./page_link.ts";
import type { Pauser } from "./protocol.ts";

/** Options of {@linkcode callTable}. */
export interface PageCallsOptions {
  /** Returns a client of the node at an endpoint. @throws {RaftError} if it can't be reached now */
  clientOf(endpoint: string): ClientTransport & AdminTransport;
  /** Returns the node. @throws {RaftError} if there is none yet */
  served(): { readonly node: ServedNode };
  pause(by: Pauser): Promise<void>;
  resume(by: Pauser): void;
  close(): Promise<void>;
}

/** Returns the calls by name. */
export function callTable(options: PageCallsOptions): CallTable {
  const { clientOf, served } = options;
  return {
    async propose({ endpoint, commands }, signal) {
      const results = await clientOf(endpoint).propose(endpoint, commands, { signal });
      return results.map((result) => result.ok ? result : { ok: false, error: result.error.toJSON() });
    },
    read: async ({ endpoint, query, consistency }, signal) =>
      await clientOf(endpoint).read(endpoint, query, { consistency, signal }),
    status: async ({ endpoint }, signal) =>
      endpoint === "" ? served().node.status() : await clientOf(endpoint).status(endpoint, { signal }),
    admin: async ({ endpoint, method, request }, signal) =>
      await clientOf(endpoint).admin(endpoint, method, request, { signal }),
    async pause({ by }) {
      await options.pause(by);
      return null;
    },
    // deno-lint-ignore require-await -- an error is a rejection
    async resume({ by }) {
      options.resume(by);
      return null;
    },
    async close() {
      await options.close();
      return null;
    },
  };
}
