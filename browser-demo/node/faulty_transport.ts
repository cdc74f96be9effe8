/**
 * The links of one node, which can be cut, slowed and made lossy, one way each:
 * what is done to a link is done where it begins, or, if that is at a server,
 * where it ends. Every message that goes by one is told of, with what became of
 * it.
 *
 * @module
 */

import { RaftError } from "../../mod.ts";
import type { CallOptions, Envelope, Receive } from "../../mod.ts";
import { tabAddress } from "../../transport/tab/mod.ts";
import type { CallHandler, TabTransport } from "../../transport/tab/mod.ts";
import { isPageAddress, isServerAddress } from "../live/addresses.ts";
import { machineMs } from "../live/observation.ts";
import type { LinkView, MessageView } from "../source.ts";
import { describeMessage } from "./message_words.ts";

/** Messages that are kept for the next report, at most. */
const MAX_TOLD = 256;

/** A tab transport with faults. */
export class FaultyTransport implements TabTransport {
  readonly #inner: TabTransport;
  readonly #id: string;
  readonly #run: string;
  /** By whom they lead to, and by whom they come from. */
  readonly #links = new Map<string, LinkView>();
  readonly #incoming = new Map<string, LinkView>();
  /** Those that a message has come from. */
  readonly #servers = new Set<string>();
  #told: MessageView[] = [];
  #sent = 0;
  #closed = false;

  /** @param run distinguishes the messages of one life of the node from those of another */
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

  /** Whom to join through, as far as is known. */
  get peers(): readonly string[] {
    const peers = (this.#inner as { readonly peers?: readonly string[] }).peers ?? [];
    return peers.filter((address) => !isPageAddress(address));
  }

  /** What its links do, where they do anything. */
  get links(): readonly LinkView[] {
    return [...this.#links.values(), ...this.#incoming.values()];
  }

  /** From now on the link does this; those of other nodes are none of its business. */
  setLink(link: LinkView): void {
    const own = link.from === this.#id;
    if (!own && !(link.to === this.#id && this.#servers.has(link.from))) return;
    const [links, other] = own ? [this.#links, link.to] : [this.#incoming, link.from];
    if (link.cut || link.delayMs > 0 || link.loss > 0) links.set(other, link);
    else links.delete(other);
  }

  /** The messages since the last call. */
  takeMessages(): readonly MessageView[] {
    const told = this.#told;
    this.#told = [];
    return told;
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

  /** What one node asks another by a call goes through no cut either. Pages are clients, and have no links. */
  async call(to: string, method: string, request: Uint8Array, options?: CallOptions): Promise<Uint8Array> {
    const cut = [...this.#links.values()].find((link) => link.cut && tabAddress(link.to) === to);
    if (cut !== undefined) throw new RaftError("unreachable", `the link from ${cut.from} to ${cut.to} is cut`);
    return await this.#inner.call(to, method, request, options);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#inner.close();
  }

  /** Passes a message on as its link has it, and tells of it. */
  #pass(envelope: Envelope, link: LinkView | undefined, pass: () => void): void {
    const fate = link?.cut === true ? "cut" : link !== undefined && Math.random() < link.loss ? "lost" : "delivered";
    const delayMs = link?.delayMs ?? 0;
    this.#tell(envelope, fate, delayMs);
    if (fate !== "delivered") return;
    if (delayMs === 0) return pass();
    setTimeout(() => {
      // On its way it may have come to a cut.
      const now = envelope.from === this.#id ? this.#links.get(envelope.to) : this.#incoming.get(envelope.from);
      if (!this.#closed && now?.cut !== true) pass();
    }, delayMs);
  }

  #tell({ from, to, message }: Envelope, fate: MessageView["fate"], delayMs: number): void {
    if (this.#told.length >= MAX_TOLD) return;
    const sentMs = machineMs();
    this.#told.push({
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
