/**
 * What a page may ask of its node.
 *
 * @module
 */

import type { ClientTransport } from "../lib/client/client_transport.ts";
import type { AdminCalls } from "../hosting/admin_calls.ts";
import type { ServedNode } from "../hosting/served_node.ts";
import type { CallTable } from "./page_link.ts";
import type { Pauser } from "./protocol.ts";

/** What the calls are carried out with. */
export interface PageCallsOptions {
  /** Reaches the node at an endpoint. @throws {RaftError} if none is reached from here now */
  clientOf(endpoint: string): ClientTransport;
  /** The node as it is now. @throws {RaftError} if there is none yet */
  served(): { readonly node: ServedNode; readonly admin: AdminCalls };
  pause(by: Pauser): Promise<void>;
  resume(by: Pauser): void;
  close(): Promise<void>;
}

/** The calls by name. */
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
    addMember: async (member, signal) => await served().admin.call("addMember", member, { signal }),
    promoteMember: async ({ id }, signal) => await served().admin.call("promoteMember", { id }, { signal }),
    removeMember: async ({ id }, signal) => await served().admin.call("removeMember", { id }, { signal }),
    transferLeadership: async ({ to }, signal) =>
      await served().admin.call("transferLeadership", to === null ? {} : { to }, { signal }),
    async takeSnapshot() {
      const { index } = await served().node.takeSnapshot();
      return { index };
    },
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
