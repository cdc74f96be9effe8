/**
 * One function for everything that a node serves: REST, status, metrics and the
 * Connect services.
 */

import { connectFetchHandler, createRaftRoutes, peerService } from "../transport/connect/mod.ts";
import { relayService } from "../transport/relay/mod.ts";
import type { ConnectTransport } from "../transport/connect/mod.ts";
import { SERVER_HINTS } from "./hints.ts";
import { createApp } from "./app.ts";
import type { AppOptions } from "./app.ts";
import type { FetchHandler } from "./listener.ts";
import { problem, problemResponse } from "./problem.ts";
import type { ServerRelay } from "./relay.ts";
import { clientService } from "../transport/wire/client_service.ts";
import { surelyNotSent } from "../transport/connect/http_client.ts";
import { ANONYMOUS, identityOf } from "../transport/wire/identity.ts";
import { atLeader } from "../hosting/forward.ts";
import { Admin } from "../hosting/admin.ts";
import { AdminCalls, adminService } from "../hosting/admin_calls.ts";
import { KeyValueCalls } from "./services/kv.ts";
import type { WatchSource } from "../lib/kv/client.ts";
import { keyValueService } from "./services/kv_service.ts";
import { VERSION } from "./version.ts";

export interface NodeHandlerOptions extends Required<Omit<AppOptions, "store" | "client" | "services" | "link">> {
  /** The state machine of the node, if that is the key-value store. */
  readonly store: WatchSource | null;
  readonly transport: ConnectTransport;
  /** Reaches other nodes, including those in tabs. */
  readonly relay: ServerRelay;
  /** The node's address for other nodes. */
  readonly address: string;
  readonly electionTimeoutMs: number;
}

/** Creates the function. */
export function nodeHandler(options: NodeHandlerOptions): FetchHandler {
  const { relay, store, transport, address, electionTimeoutMs, ...appOptions } = options;
  const { node, requestTimeoutMs, watchers, forwards, receiver, answers, reason } = appOptions;
  const { client } = relay;
  const admin = new Admin({
    node,
    identify: (other, signal) => relay.identify(other, ANONYMOUS, signal),
    mayBeStarting: surelyNotSent,
    hints: SERVER_HINTS,
    electionTimeoutMs,
  });
  const services = connectFetchHandler(
    createRaftRoutes({
      peer: peerService(transport, (caller) => identityOf(node.status(), address, caller)),
      client: clientService({
        node,
        version: VERSION,
        admit: (bytes) => answers.admit(bytes),
        forwarding: {
          client,
          run: (work, call) => atLeader(node, work, { timeoutMs: requestTimeoutMs, budget: forwards, reason, ...call }),
        },
      }),
      admin: adminService(
        node,
        new AdminCalls({ node, admin, reason, callLeader: (address, signal) => relay.call(address, signal) }),
      ),
      relay: relayService(relay.hub),
      ...(store === null ? {} : {
        kv: keyValueService(
          new KeyValueCalls({ node, client, store, timeoutMs: requestTimeoutMs, watchers, forwards, answers, reason }),
        ),
      }),
    }),
    { receiver },
  );
  relay.serve(services);
  const app = createApp({
    ...appOptions,
    ...(store === null ? {} : { store }),
    client,
    link: (address) => transport.link(address),
    services: async (request) => {
      const answer = await services(request);
      return answer ?? problemResponse(problem("not_found", "no such service or method"));
    },
  });
  return (request) => app.fetch(request);
}
