/**
 * A server's ways to nodes in browser tabs, beside its ways to other servers.
 *
 * @module
 */

import type { ClientTransport } from "../lib/client/client_transport.ts";
import type { Receive, Transport } from "../lib/transport.ts";
import { callFetch, fetchTransport, identifyPeer, servedCalls } from "../transport/connect/mod.ts";
import { RelayHub } from "../transport/relay/mod.ts";
import type { Fetch, PeerCaller, PeerIdentity, RpcTransport } from "../transport/connect/mod.ts";
import { NO_HOST } from "../transport/connect/packet_calls.ts";
import { isTabAddress } from "../transport/wire/addresses.ts";
import { PacketTransport } from "../transport/tab/mod.ts";

/** Options of {@linkcode ServerRelay}. */
export interface ServerRelayOptions {
  /** Where this server says that it is reached. */
  readonly address: string;
  /** Where the members of the cluster are reached, as far as is known now. */
  members(): readonly string[];
  /** Carries messages to other servers. */
  readonly transport: Transport;
  /** Calls other servers. */
  readonly client: ClientTransport;
}

/** An administrator's call may take as long as a new voter takes to catch up. */
const CALL_TIMEOUT_MS = 60_000;

/** Everything that depends on whether an address is a tab's or a server's. */
export class ServerRelay {
  /** Which pages are attached. */
  readonly hub: RelayHub;
  /** For the node: carries messages to tabs and servers. */
  readonly transport: Transport;
  /** Calls tabs and servers. */
  readonly client: ClientTransport;
  readonly #tabs: PacketTransport;

  constructor(options: ServerRelayOptions) {
    const { address, transport: servers } = options;
    const hub = this.hub = new RelayHub({
      address,
      servers: () => options.members().filter((member) => !isTabAddress(member)),
    });
    const tabs = this.#tabs = new PacketTransport({
      address,
      callTimeoutMs: CALL_TIMEOUT_MS,
      onMalformed: () => hub.malformed(),
      carrier: {
        start: (receive, lost) => Promise.resolve(hub.start(receive, lost)),
        send: (to, packet) => hub.send(to, packet),
        close: () => Promise.resolve(hub.close()),
      },
    });
    // Calls are answered from the beginning, as those of others are: a node that waits for its peers says so.
    let take: Receive | undefined;
    const started = tabs.start((envelope) => take?.(envelope));
    this.transport = {
      async start(receive: Receive) {
        take = receive;
        await Promise.all([servers.start(receive), started]);
      },
      send: (to, envelope) => (isTabAddress(to) ? tabs : servers).send(to, envelope),
      async close() {
        await Promise.all([servers.close(), tabs.close()]);
      },
    };
    const clientOf = (endpoint: string) => isTabAddress(endpoint) ? tabs.client : options.client;
    this.client = {
      propose: (endpoint, commands, call) => clientOf(endpoint).propose(endpoint, commands, call),
      query: (endpoint, query, call) => clientOf(endpoint).query(endpoint, query, call),
      status: (endpoint, call) => clientOf(endpoint).status(endpoint, call),
    };
  }

  /** Answers the calls of tabs by these services. */
  serve(services: (request: Request) => Promise<Response | null>): void {
    this.#tabs.serve(servedCalls(services));
  }

  /** Carries an administrator's calls to a node. */
  connect(address: string): RpcTransport {
    return isTabAddress(address) ? fetchTransport(NO_HOST, this.#fetch(address)) : fetchTransport(address);
  }

  /** Asks the node at an address who it is. */
  identify(address: string, caller: PeerCaller, signal: AbortSignal): Promise<PeerIdentity> {
    if (!isTabAddress(address)) return identifyPeer(address, caller, { signal });
    return identifyPeer(NO_HOST, caller, { signal, fetch: this.#fetch(address) });
  }

  #fetch(address: string): Fetch {
    return callFetch(address, (to, method, request, options) => this.#tabs.call(to, method, request, options));
  }
}
