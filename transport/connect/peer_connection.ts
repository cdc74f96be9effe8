/**
 * The way to one peer: a bounded queue, and a connection that is opened when there
 * is something to send, and reopened with growing pauses when it breaks.
 */

import { ConnectError } from "@connectrpc/connect";
import { Backoff } from "../../lib/backoff.ts";
import type { QueueLimits } from "../../lib/bounded_queue.ts";
import type { Cancel, Host } from "../../lib/clock.ts";
import { pause } from "../../lib/pause.ts";
import type { Envelope } from "../../lib/transport.ts";
import { envelopeToWire } from "../wire/codec.ts";
import { surelyNotSent } from "./http_client.ts";
import { Interruptible } from "./interruptible.ts";
import { SendQueue } from "./send_queue.ts";
import type { PeerBatch, PeerConnector, PeerLink } from "./peer_link.ts";

/** Options that all connections of a transport share. Times in milliseconds. */
export interface PeerConnectionOptions {
  readonly host: Host;
  readonly connector: PeerConnector;
  /** Limits of the queue while the connection works. */
  readonly queue: QueueLimits;
  /** Limits of the queue for a peer that isn't there; the oldest messages are dropped. */
  readonly offlineQueue: QueueLimits;
  /** Limits of one message of the stream. */
  readonly batch: QueueLimits;
  /** The first pause after a failure; doubled by each further one. */
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** A peer that acknowledges nothing for this long is given up, and connected to again. */
  readonly hangTimeoutMs: number;
}

/** Counts over all connections of a transport, as in `ConnectTransportCounts`. */
export type PeerConnectionCounts = Record<"sent" | "dropped" | "connected" | "failed" | "hung", number>;

/** The state of the way to one peer. */
export interface PeerLinkStatus {
  /** Set while the peer acknowledges what is sent to it. */
  readonly connected: boolean;
  /** The last failure, in words; `null` if none came since the peer last acknowledged. */
  readonly error: string | null;
}

/** Sends to one peer. It never throws, and its caller never waits. */
export class PeerConnection {
  readonly address: string;
  /** When the last message was handed in, by the monotonic clock. */
  lastSendMs: number;
  readonly #options: PeerConnectionOptions;
  readonly #counts: PeerConnectionCounts;
  readonly #queue = new SendQueue();
  #running: Promise<void> | undefined;
  readonly #backoff: Backoff;
  readonly #closing = new AbortController();
  /** Set once the present connection has shown that it works. */
  #online = false;
  /** The last failure since the peer last acknowledged. */
  #error: string | null = null;
  /** Wakes the connection when there is something to send. */
  #wake: (() => void) | undefined;
  /** Ends the connection that is under way. */
  #interrupt: (() => void) | undefined;
  #ack = 0;
  #requestNext = false;
  #ackRequestedMs = 0;
  /** Set while an acknowledgement is awaited. */
  #hangTimer: Cancel | undefined;

  constructor(address: string, options: PeerConnectionOptions, counts: PeerConnectionCounts) {
    this.address = address;
    this.#options = options;
    this.#counts = counts;
    this.#backoff = new Backoff(options.host, options.minBackoffMs, options.maxBackoffMs);
    this.lastSendMs = options.host.clock.monotonicMs();
  }

  /** Messages and bytes that wait now. */
  get queued(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#queue.length, bytes: this.#queue.bytes };
  }

  get link(): PeerLinkStatus {
    return { connected: this.#online, error: this.#error };
  }

  /** Sends it, or drops it. */
  send(envelope: Envelope): void {
    if (this.#closing.signal.aborted) {
      this.#counts.dropped++;
      return;
    }
    const { host, queue, offlineQueue, hangTimeoutMs } = this.#options;
    const nowMs = host.clock.monotonicMs();
    this.lastSendMs = nowMs;
    this.#counts.dropped += this.#queue.push(envelope, this.#online ? queue : offlineQueue, !this.#online);
    const requestedLongAgo = nowMs - this.#ackRequestedMs >= hangTimeoutMs / 4;
    if (this.#online && requestedLongAgo && this.#hangTimer === undefined) this.#expectAck();
    this.#wake?.();
    this.#running ??= this.#run();
  }

  /** Drops what waits, and ends the connection. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#counts.dropped += this.#queue.clear();
    this.#interrupt?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    // All messages of this turn go in one batch.
    await Promise.resolve();
    while (!this.#closing.signal.aborted && this.#queue.length > 0) {
      const worked = await this.#connection();
      if (this.#closing.signal.aborted) break;
      if (worked) this.#backoff.reset();
      else await pause(this.#options.host.clock, this.#backoff.nextMs(), this.#closing.signal);
    }
    this.#running = undefined;
  }

  /** Connects, and sends until the connection ends; returns whether the peer ever answered and then ended it in order. */
  async #connection(): Promise<boolean> {
    const abort = new AbortController();
    let link: PeerLink | undefined;
    let ended = false;
    this.#ack = 0;
    this.#expectAck();
    try {
      link = this.#options.connector(this.address);
      const batches = new Interruptible(this.#batches());
      const acks = new Interruptible(link.carry(batches, abort.signal));
      this.#interrupt = () => abort.abort();
      abort.signal.addEventListener("abort", () => {
        batches.end();
        acks.end();
      });
      for await (const ack of acks) this.#acknowledged(ack);
      ended = this.#online && !abort.signal.aborted;
    } catch (error) {
      // A peer that is gone or breaks is an everyday thing; it is counted below.
      this.#error = inWords(error);
    }
    this.#interrupt = undefined;
    this.#hangTimer?.();
    this.#hangTimer = undefined;
    this.#online = false;
    this.#wake = undefined;
    abort.abort();
    link?.close();
    if (!ended && !this.#closing.signal.aborted) this.#counts.failed++;
    return ended;
  }

  async *#batches(): AsyncGenerator<PeerBatch> {
    for (;;) {
      while (this.#queue.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
      const envelopes = this.#queue.take(this.#options.batch);
      this.#counts.sent += envelopes.length;
      yield { envelopes: envelopes.map(envelopeToWire), ack: this.#nextAckRequest() };
    }
  }

  /** Returns the number of the next batch's request to acknowledge, 0 for none. */
  #nextAckRequest(): number {
    if (!this.#requestNext) return 0;
    this.#requestNext = false;
    return ++this.#ack;
  }

  /**
   * Has the next batch ask for an acknowledgement, within the time in which a
   * peer must answer. That time runs from now on, whether or not the batch
   * leaves: a peer that hangs may no longer take anything.
   */
  #expectAck(): void {
    const { clock } = this.#options.host;
    this.#requestNext = true;
    this.#ackRequestedMs = clock.monotonicMs();
    this.#hangTimer = clock.setTimer(this.#options.hangTimeoutMs, () => {
      this.#hangTimer = undefined;
      this.#counts.hung++;
      this.#error = `no acknowledgement for ${this.#options.hangTimeoutMs} ms`;
      this.#interrupt?.();
    });
  }

  #acknowledged(ack: number): void {
    if (ack !== this.#ack) return;
    this.#hangTimer?.();
    this.#hangTimer = undefined;
    this.#error = null;
    if (this.#online) return;
    this.#online = true;
    this.#backoff.reset();
    this.#counts.connected++;
  }
}

/** Returns a failure of a connection in words. */
function inWords(error: unknown): string {
  if (surelyNotSent(error)) return "no server answers";
  if (error instanceof ConnectError) return error.rawMessage;
  return error instanceof Error ? error.message || error.name : String(error);
}
