/**
 * The links of one node, which can be cut, slowed and made lossy, each in one
 * direction: at the sender or, for messages from a server, at the receiver. Every
 * message is recorded with its fate.
 */

import { RaftError } from "../../mod.ts";
import type { CallOptions, Envelope, Receive } from "../../mod.ts";
import { tabAddress } from "../../transport/tab/mod.ts";
import type { CallHandler, TabTransport } from "../../transport/tab/mod.ts";
import { isPageAddress, isServerAddress } from "../live/connections.ts";
import { machineMs } from "../live/host_message.ts";
import { isHealthy } from "../live/links.ts";
import type { LinkView, MessageView } from "../source.ts";
import { describeMessage } from "./message_words.ts";

/** At most this many messages are kept for the next report. */
const MAX_RECORDED = 256;

/** A tab transport with faults. */
export class FaultyTransport implements TabTransport {
  readonly #inner: TabTransport;
  readonly #id: string;
  readonly #run: string;
  /** By their receivers, and by their senders. */
  readonly #links = new Map<string, LinkView>();
  readonly #incoming = new Map<string, LinkView>();
  /** Servers that have sent a message. */
  readonly #servers = new Set<string>();
  #recorded: MessageView[] = [];
  #sent = 0;
  #closed = false;

  /** @param options `run` distinguishes the messages of one life of the node from those of another */
  constructor(inner: TabTransport, options: { readonly id: string; readonly run: string }) {
    this.#inner = inner;
    this.#id = options.id;
    this.#run = options.run;
  }

  get address(): string {
    return this.#inner.address;
  }

  get client(): TabTransport["client"] {
    return this.#inner.client;
  }

  /** The addresses to join through that are known. */
  get peers(): readonly string[] {
    const peers = this.#inner.peers ?? [];
    return peers.filter((address) => !isPageAddress(address));
  }

  /** The links that are cut, slow or lossy. */
  get links(): readonly LinkView[] {
    return [...this.#links.values(), ...this.#incoming.values()];
  }

  /** Sets the state of a link; those of other nodes are ignored. */
  setLink(link: LinkView): void {
    const own = link.from === this.#id;
    if (!own && !(link.to === this.#id && this.#servers.has(link.from))) return;
    const [links, other] = own ? [this.#links, link.to] : [this.#incoming, link.from];
    if (isHealthy(link)) links.delete(other);
    else links.set(other, link);
  }

  /** Returns the messages since the last call. */
  takeMessages(): readonly MessageView[] {
    const recorded = this.#recorded;
    this.#recorded = [];
    return recorded;
  }

  start(receive: Receive): Promise<void> {
    return this.#inner.start((envelope) => {
      if (!isServerAddress(envelope.fromAddress)) return receive(envelope);
      this.#servers.add(envelope.from);
      this.#pass(envelope, this.#incoming.get(envelope.from), () => void receive(envelope));
    });
  }

  send(address: string, envelope: Envelope): void {
    this.#pass(envelope, this.#links.get(envelope.to), () => this.#inner.send(address, envelope));
  }

  serve(handler: CallHandler): void {
    this.#inner.serve(handler);
  }

  /** Calls between nodes don't pass a cut either. Pages are clients, and have no links. */
  async call(to: string, method: string, request: Uint8Array, options?: CallOptions): Promise<Uint8Array> {
    const cut = [...this.#links.values()].find((link) => link.cut && tabAddress(link.to) === to);
    if (cut !== undefined) throw new RaftError("unreachable", `the link from ${cut.from} to ${cut.to} is cut`);
    return await this.#inner.call(to, method, request, options);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#inner.close();
  }

  /** Passes a message on, subject to its link, and records it. */
  #pass(envelope: Envelope, link: LinkView | undefined, pass: () => void): void {
    const fate = link?.cut === true ? "cut" : link !== undefined && Math.random() < link.loss ? "lost" : "delivered";
    const delayMs = link?.delayMs ?? 0;
    this.#record(envelope, fate, delayMs);
    if (fate !== "delivered") return;
    if (delayMs === 0) return pass();
    setTimeout(() => {
      // The link may have been cut meanwhile.
      const now = envelope.from === this.#id ? this.#links.get(envelope.to) : this.#incoming.get(envelope.from);
      if (!this.#closed && now?.cut !== true) pass();
    }, delayMs);
  }

  #record({ from, to, message }: Envelope, fate: MessageView["fate"], delayMs: number): void {
    if (this.#recorded.length >= MAX_RECORDED) return;
    const sentMs = machineMs();
    this.#recorded.push({
      id: `${this.#id}.${this.#run}.${++this.#sent}`,
      from,
      to,
      type: message.type,
      term: message.term,
      ...describeMessage(message),
      sentMs,
      arrivesMs: sentMs + delayMs,
      fate,
    });
  }
}
