/**
 * A transport that answers calls before its node runs: the nodes of a new
 * cluster have to ask each other for their identities.
 */

import type { Envelope, Receive, Transport } from "../lib/transport.ts";

/** Opens at once, and delivers envelopes once the node has started it. Envelopes that arrive earlier are dropped. */
export class DeferredTransport implements Transport {
  readonly #transport: Transport;
  readonly #silent: () => boolean;
  #receive: Receive | null = null;
  #opened: Promise<void> | null = null;

  /** @param silent Reports whether to drop everything now, in both directions, as for a paused node. */
  constructor(transport: Transport, silent: () => boolean = () => false) {
    this.#transport = transport;
    this.#silent = silent;
  }

  /** Begins to carry calls. */
  open(): Promise<void> {
    return this.#opened ??= this.#transport.start((envelope) => this.#silent() ? undefined : this.#receive?.(envelope));
  }

  start(receive: Receive): Promise<void> {
    this.#receive = receive;
    return this.open();
  }

  send(address: string, envelope: Envelope): void {
    if (!this.#silent()) this.#transport.send(address, envelope);
  }

  close(): Promise<void> {
    this.#receive = null;
    return this.#transport.close();
  }
}
