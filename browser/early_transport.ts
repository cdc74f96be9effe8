/**
 * A transport that answers calls before there is a node: the nodes of a new
 * cluster have to ask each other who they are.
 *
 * @module
 */

import type { Envelope, Receive, Transport } from "../lib/transport.ts";
import type { TabTransport } from "../transport/tab/mod.ts";

/** Opened by {@linkcode EarlyTransport.open}, it is handed to the node later. */
export class EarlyTransport implements Transport {
  readonly #transport: TabTransport;
  readonly #silent: () => boolean;
  #receive: Receive | null = null;

  /** @param silent Whether nothing comes through now: a node that stands still neither hears nor speaks. */
  constructor(transport: TabTransport, silent: () => boolean) {
    this.#transport = transport;
    this.#silent = silent;
  }

  /** Begins to carry calls. What comes for the node before it starts is dropped. */
  open(): Promise<void> {
    return this.#transport.start((envelope) => this.#silent() ? undefined : this.#receive?.(envelope));
  }

  start(receive: Receive): Promise<void> {
    this.#receive = receive;
    return Promise.resolve();
  }

  send(address: string, envelope: Envelope): void {
    if (!this.#silent()) this.#transport.send(address, envelope);
  }

  close(): Promise<void> {
    this.#receive = null;
    return this.#transport.close();
  }
}
