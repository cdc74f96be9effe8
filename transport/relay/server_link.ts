/**
 * The connection of a page to one server: a stream down, calls up.
 */

import type { Client } from "@connectrpc/connect";
import type { Cancel } from "../../lib/clock.ts";
import { closedError, RaftError } from "../../lib/errors.ts";
import { randomId } from "../../lib/random_id.ts";
import { Backoff } from "../../lib/backoff.ts";
import { pause } from "../../lib/pause.ts";
import type { RelayedPacket, RelayService } from "../wire/gen/raft/v1/relay_pb.ts";
import type { LinkOptions, RelayLinkState } from "./options.ts";
import { relayCalls, relayError } from "./relay_calls.ts";
import { PacketQueue, type QueuedPacket } from "./packet_queue.ts";
import { takeSlot } from "./slots.ts";

/** A packet on its way up, and the servers that could not deliver it. */
export interface Outgoing extends QueuedPacket {
  readonly triedBy: ReadonlySet<ServerLink>;
}

/** The part of the page that a link needs. */
export interface LinkPage {
  /** The addresses of its nodes now. */
  addresses(): string[];
  /** Takes packets that came down. */
  deliver(link: ServerLink, packets: readonly RelayedPacket[]): void;
  /** The server has sent its address and those of the cluster's other servers. */
  learned(link: ServerLink, address: string, servers: readonly string[]): void;
  /** No node is attached to the server at the receivers' addresses: these packets went no further. */
  undelivered(link: ServerLink, packets: readonly Outgoing[]): void;
  /** The connection broke; these may or may not have arrived. */
  lost(packets: readonly Outgoing[]): void;
  /** The state has changed. */
  changed(link: ServerLink): void;
}

/** At most this many packets go in one call. */
const MAX_BATCH_PACKETS = 128;

/** Keeps a stream to one server, for as long as it isn't closed. */
export class ServerLink {
  /** The server's base URL. */
  readonly url: string;
  state: RelayLinkState = "connecting";
  /** Why it is `waiting` or `failed`. */
  error: RaftError | null = null;
  /** Streams in a row that failed, or broke soon. */
  failures = 0;
  /** The page's name at the server: one for each link, as two may turn out to lead to one server. */
  readonly #name: string;
  readonly #page: LinkPage;
  readonly #options: LinkOptions;
  readonly #calls: Client<typeof RelayService>;
  readonly #backoff: Backoff;
  readonly #queue: PacketQueue<Outgoing>;
  readonly #closing = new AbortController();
  /** Ends the stream that is open, with the reason. */
  #stream = new AbortController();
  /** When the last stream was attached. */
  #attachedMs = 0;
  /** Calls of Forward so far. */
  #forwarded = 0;
  #announced = "";
  #pumping = false;
  readonly #done: Promise<void>;

  /** Connects at once. */
  constructor(url: string, page: LinkPage, options: LinkOptions) {
    this.url = url;
    this.#name = randomId(() => options.host.random());
    this.#page = page;
    this.#options = options;
    this.#calls = relayCalls(url, options.fetch);
    this.#backoff = new Backoff(options.host, options.minBackoffMs, options.maxBackoffMs);
    this.#queue = new PacketQueue({ maxItems: options.maxQueuedPackets, maxBytes: options.maxQueuedBytes });
    this.#done = this.#run();
  }

  /** True if packets can pass. */
  get attached(): boolean {
    return this.state === "attached";
  }

  /** True if the server has all the page's addresses. */
  get announced(): boolean {
    return this.attached && this.#announced === namesOf(this.#page.addresses());
  }

  /** Packets that wait. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Queues a packet; returns false if the server isn't attached, or the queue is full. */
  send(item: Outgoing): boolean {
    if (!this.attached || !this.#queue.push(item)) return false;
    void this.#pump();
    return true;
  }

  /** The page has other addresses now. */
  announce(): void {
    if (this.attached) void this.#pump();
  }

  /** Ends the stream, and everything else. */
  async close(): Promise<void> {
    this.#closing.abort(closedError("the relay"));
    await this.#done;
  }

  async #run(): Promise<void> {
    let release = (): void => {};
    try {
      release = await this.#slot();
      while (!this.#closing.signal.aborted) {
        this.#become("connecting");
        const error = await this.#attachment();
        if (this.#closing.signal.aborted) break;
        this.#become("failed", error);
        this.failures++;
        await pause(this.#options.host.clock, this.#backoff.nextMs(), this.#closing.signal);
      }
    } finally {
      release();
      this.#become("closed");
    }
  }

  /** Over HTTPS a browser speaks HTTP/2, if the server does, and there as many streams as one likes share a connection. */
  async #slot(): Promise<() => void> {
    const { locks } = this.#options;
    if (locks === null || this.url.startsWith("https:")) return () => {};
    const waits = (): void =>
      this.#become(
        "waiting",
        new RaftError("busy", `other tabs hold all slots for streams to ${this.url}`, {
          hint: "Close one of them, or serve over HTTPS with HTTP/2, where a browser has no such limit.",
        }),
      );
    try {
      return await takeSlot(locks, this.url, waits, this.#closing.signal);
    } catch {
      // Closed, or a page that may not use locks: the browser's limit applies all the same, but goes unreported.
      return () => {};
    }
  }

  /** One stream, from beginning to end; returns why it ended. */
  async #attachment(): Promise<RaftError> {
    const stream = this.#stream = new AbortController();
    const close = (): void => stream.abort(this.#closing.signal.reason);
    this.#closing.signal.addEventListener("abort", close);
    const addresses = this.#page.addresses();
    this.#announced = namesOf(addresses);
    let silent = this.#silence(stream);
    try {
      const request = { page: this.#name, addresses, forwarded: this.#forwarded };
      for await (const delivery of this.#calls.attach(request, { signal: stream.signal })) {
        silent();
        silent = this.#silence(stream);
        const { packets, address, servers } = delivery;
        if (!this.attached) this.#attach();
        if (address !== "") this.#page.learned(this, address, servers);
        if (packets.length > 0) this.#page.deliver(this, packets);
      }
      return new RaftError("unreachable", `${this.url} ended the stream`, {
        hint: "It may be stopping, or restarting.",
      });
    } catch (error) {
      return relayError(error, this.url, stream.signal);
    } finally {
      silent();
      this.#closing.signal.removeEventListener("abort", close);
      // One that broke at once may do so each time.
      const { host, maxBackoffMs } = this.#options;
      if (this.attached && host.clock.monotonicMs() - this.#attachedMs >= maxBackoffMs) {
        this.failures = 0;
        this.#backoff.reset();
      }
      this.state = "connecting";
      // Calls that are under way would be sent once more by some browsers, if the connection broke with it.
      stream.abort(new RaftError("unreachable", `the stream to ${this.url} has ended`));
      this.#page.lost(this.#queue.clear());
    }
  }

  #attach(): void {
    this.#attachedMs = this.#options.host.clock.monotonicMs();
    this.#become("attached");
    void this.#pump();
  }

  /** Aborts a stream that hangs: nothing comes, not even a sign that it lives. */
  #silence(stream: AbortController): Cancel {
    const { host, hangTimeoutMs } = this.#options;
    return host.clock.setTimer(hangTimeoutMs, () => {
      stream.abort(
        new RaftError("unreachable", `nothing came from ${this.url} for ${hangTimeoutMs} ms`, {
          hint: "It hangs, or the way to it does; or pages of other sites hold all the browser's connections to it.",
        }),
      );
    });
  }

  /** Sends what waits, a call at a time; an address is announced before anything goes out under it. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    const stream = this.#stream;
    try {
      while (this.attached && this.#stream === stream) {
        const addresses = this.#page.addresses();
        const names = namesOf(addresses);
        if (names !== this.#announced) {
          const request = { page: this.#name, addresses };
          await this.#call(stream, () => this.#calls.announce(request, { signal: stream.signal }));
          this.#announced = names;
          this.#page.changed(this);
        } else if (this.#queue.length > 0) await this.#forward(stream);
        else break;
      }
    } catch (error) {
      stream.abort(relayError(error, this.url, stream.signal));
    } finally {
      this.#pumping = false;
      if (this.attached && this.#stream !== stream) void this.#pump();
    }
  }

  async #forward(stream: AbortController): Promise<void> {
    const packets = this.#queue.take({ maxItems: MAX_BATCH_PACKETS, maxBytes: this.#options.maxBatchBytes });
    const request = {
      page: this.#name,
      number: ++this.#forwarded,
      packets: packets.map(({ to, from, packet }) => ({ to, from, packet })),
    };
    try {
      const { unreachable } = await this.#call(
        stream,
        () => this.#calls.forward(request, { signal: stream.signal }),
      );
      if (unreachable.length === 0) return;
      const to = new Set(unreachable);
      this.#page.undelivered(this, packets.filter((item) => to.has(item.to)));
    } catch (error) {
      this.#page.lost(packets);
      throw error;
    }
  }

  async #call<Answer>(stream: AbortController, send: () => Promise<Answer>): Promise<Answer> {
    const silent = this.#silence(stream);
    try {
      return await send();
    } finally {
      silent();
    }
  }

  #become(state: RelayLinkState, error: RaftError | null = null): void {
    this.state = state;
    this.error = error;
    this.#page.changed(this);
  }
}

function namesOf(addresses: readonly string[]): string {
  return addresses.join("\n");
}
