/**
 * A server's connections to nodes in browser tabs, beside those to other servers.
 */

import type { ClientTransport } from "../lib/client/client_transport.ts";
import type { Receive, Transport } from "../lib/transport.ts";
import { DeferredTransport } from "../hosting/deferred_transport.ts";
import { httpCalls } from "../transport/connect/http_client.ts";
import { servedCalls } from "../transport/connect/packet_calls.ts";
import { RelayHub } from "../transport/relay/mod.ts";
import { isTabAddress, nodeAddress } from "../transport/wire/address.ts";
import type { SendUnary } from "../transport/wire/admin_codec.ts";
import { askIdentity, MAX_IDENTITY_BYTES, type PeerCaller, type PeerIdentity } from "../transport/wire/identity.ts";
import { tabCalls } from "../transport/packet/methods.ts";
import { PacketTransport } from "../transport/tab/mod.ts";

export interface ServerRelayOptions {
  /** The address that this server advertises. */
  readonly address: string;
  /** Returns the addresses of the members, as far as the node knows them. */
  members(): readonly string[];
  /** Carries messages to other servers. */
  readonly transport: Transport;
  /** Calls other servers. */
  readonly client: ClientTransport;
}

/** An administrator's call may take as long as a new voter takes to catch up. */
const CALL_TIMEOUT_MS = 60_000;

/** Routes messages and calls to tabs and servers, by address. */
export class ServerRelay {
  /** The attached pages. */
  readonly hub: RelayHub;
  /** The node's transport, to tabs and servers. */
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
      channel: {
        start: (receive, lost) => Promise.resolve(hub.start(receive, lost)),
        send: (to, packet) => hub.send(to, packet),
        close: () => Promise.resolve(hub.close()),
      },
    });
    // Calls are answered at once, as those over HTTP are: a node that waits for its peers reports so.
    const deferred = new DeferredTransport(tabs);
    void deferred.open();
    this.transport = {
      async start(receive: Receive) {
        await Promise.all([servers.start(receive), deferred.start(receive)]);
      },
      send: (to, envelope) => (isTabAddress(to) ? tabs : servers).send(to, envelope),
      async close() {
        await Promise.all([servers.close(), deferred.close()]);
      },
    };
    // The endpoint is that of the leader, as the membership has it: where that is no node's address, nothing is called.
    const clientOf = (endpoint: string) => isTabAddress(nodeAddress(endpoint)) ? tabs.client : options.client;
    this.client = {
      propose: (endpoint, commands, call) => clientOf(endpoint).propose(endpoint, commands, call),
      read: (endpoint, query, call) => clientOf(endpoint).read(endpoint, query, call),
      status: (endpoint, call) => clientOf(endpoint).status(endpoint, call),
    };
  }

  /** Answers the calls of tabs with these services. */
  serve(services: (request: Request) => Promise<Response | null>): void {
    this.#tabs.serve(servedCalls(services));
  }

  /** Returns a function that calls the node at an address. */
  call(address: string, signal: AbortSignal, maxAnswerBytes?: number): SendUnary {
    if (isTabAddress(address)) return tabCalls(this.#tabs, address, { signal });
    return httpCalls(address, signal, maxAnswerBytes);
  }

  /** Asks the node at an address for its identity. Nothing of a longer answer is read than an identity has. */
  identify(address: string, caller: PeerCaller, signal: AbortSignal): Promise<PeerIdentity> {
    return askIdentity(this.call(address, signal, MAX_IDENTITY_BYTES), caller);
  }
}
