/**
 * The transport between servers: Connect-RPC, with one connection per peer.
 */

import type { Cancel, Host } from "../../lib/clock.ts";
import { RaftError } from "../../lib/errors.ts";
import { systemHost } from "../../lib/host.ts";
import type { Envelope, Receive, Transport } from "../../lib/transport.ts";
import { envelopeFromWire, envelopeSize } from "../wire/codec.ts";
import type { Envelope as WireEnvelope } from "../wire/gen/raft/v1/peer_pb.ts";
import { PeerConnection } from "./peer_connection.ts";
import type { PeerConnectionCounts, PeerConnectionOptions, PeerLinkStatus } from "./peer_connection.ts";
import type { PeerConnector } from "./peer_link.ts";

/** Options of a {@linkcode ConnectTransport}. Sizes in bytes, times in milliseconds. */
export interface ConnectTransportOptions {
  /** Makes the connections, such as `http2Connector()`. */
  readonly connector: PeerConnector;
  /** Clock and random source. @default systemHost() */
  readonly host?: Host;
  /** At most this many messages wait for one peer. @default 4096 */
  readonly maxQueuedMessages?: number;
  /** At most this many bytes wait for one peer. @default 32 MiB */
  readonly maxQueuedBytes?: number;
  /** At most this many bytes of messages go together (one message may be more). @default 1 MiB */
  readonly maxBatchBytes?: number;
  /** At most this many messages go together. @default 128 */
  readonly maxBatchMessages?: number;
  /** A larger message is dropped. @default 32 MiB */
  readonly maxMessageBytes?: number;
  /** The pause after a first failure; doubled by each further one, and shortened by up to a half at random. @default 50 */
  readonly minBackoffMs?: number;
  /** The longest pause. @default 1000 */
  readonly maxBackoffMs?: number;
  /** A peer that accepts a connection, but acknowledges nothing for this long, is connected to again. @default 5000 */
  readonly hangTimeoutMs?: number;
  /** A connection that carries nothing for this long is closed. @default 60000 */
  readonly idleTimeoutMs?: number;
  /**
   * Reports whether an address belongs to a member, or was configured. Answers go to others, too (a node that is
   * new in a cluster knows none yet), but over few links: senders can be forged.
   *
   * @default none is known
   */
  readonly isKnown?: (address: string) => boolean;
  /** At most this many links to addresses that are not known; messages to more are dropped. @default 16, or 64 without `isKnown` */
  readonly maxUnknownLinks?: number;
  /** Called for a malformed message, which is dropped with those that arrived after it in the same call. */
  readonly onMalformed?: (error: RaftError) => void;
}

/** Counts of a {@linkcode ConnectTransport} so far. */
export interface ConnectTransportCounts {
  /** Handed to a connection; they may or may not have arrived. */
  readonly sent: number;
  /** Dropped for lack of a connection or of room. */
  readonly dropped: number;
  /** Connections that worked. */
  readonly connected: number;
  /** Connections that failed, or broke. */
  readonly failed: number;
  /** Of those, given up because the peer hung. */
  readonly hung: number;
  /** Arrived, and handed on. */
  readonly received: number;
  /** Arrived, but could not be read. */
  readonly malformed: number;
  /** Messages now waiting, for all peers. */
  readonly queuedMessages: number;
  /** Their bytes, roughly. */
  readonly queuedBytes: number;
}

const MIB = 1024 * 1024;

/** The most streams that arrive at a time: each costs some 200 kB under Deno. */
const MAX_INCOMING = 512;

/** Limits for a peer that isn't there: as much as one election and a few heartbeats need. */
const OFFLINE_QUEUE = { maxItems: 32, maxBytes: 4 * MIB };

/**
 * Sends by {@linkcode PeerConnector}s, and receives through `peerService`, which
 * a server mounts.
 *
 * @example
 * ```ts
 * import type { RaftNode } from "./mod.ts";
 * import { ConnectTransport, http2Connector, serveRaft } from "./transport/connect/mod.ts";
 *
 * declare const node: RaftNode; // started with this transport
 * const transport = new ConnectTransport({ connector: http2Connector() });
 * Deno.serve({ port: 7001 }, serveRaft({ node, transport, address: "127.0.0.1:7001" }));
 * ```
 */
export class ConnectTransport implements Transport {
  readonly #peers = new Map<string, PeerConnection>();
  readonly #peerOptions: PeerConnectionOptions;
  readonly #maxMessageBytes: number;
  readonly #idleTimeoutMs: number;
  readonly #isKnown: (address: string) => boolean;
  readonly #maxUnknownLinks: number;
  /** Those of the peers that are not known, or were not when they were last looked at. */
  readonly #unknown = new Map<string, PeerConnection>();
  readonly #onMalformed: (error: RaftError) => void;
  readonly #counts: PeerConnectionCounts = { sent: 0, dropped: 0, connected: 0, failed: 0, hung: 0 };
  /** Streams that arrive here: how to end each, and when it last carried something. */
  readonly #incoming = new Map<() => void, number>();
  #received = 0;
  #malformed = 0;
  #receive: Receive | undefined;
  #closed = false;
  #sweep: Cancel | undefined;

  /** Opens nothing before it is needed. */
  constructor(options: ConnectTransportOptions) {
    this.#peerOptions = {
      host: options.host ?? systemHost(),
      connector: options.connector,
      queue: { maxItems: options.maxQueuedMessages ?? 4096, maxBytes: options.maxQueuedBytes ?? 32 * MIB },
      offlineQueue: OFFLINE_QUEUE,
      batch: { maxItems: options.maxBatchMessages ?? 128, maxBytes: options.maxBatchBytes ?? MIB },
      minBackoffMs: options.minBackoffMs ?? 50,
      maxBackoffMs: options.maxBackoffMs ?? 1000,
      hangTimeoutMs: options.hangTimeoutMs ?? 5000,
    };
    this.#maxMessageBytes = options.maxMessageBytes ?? 32 * MIB;
    this.#idleTimeoutMs = options.idleTimeoutMs ?? 60_000;
    this.#isKnown = options.isKnown ?? (() => false);
    this.#maxUnknownLinks = options.maxUnknownLinks ?? (options.isKnown === undefined ? 64 : 16);
    this.#onMalformed = options.onMalformed ?? (() => {});
  }

  /** The counts so far. */
  get counts(): ConnectTransportCounts {
    let queuedMessages = 0;
    let queuedBytes = 0;
    for (const peer of this.#peers.values()) {
      queuedMessages += peer.queued.messages;
      queuedBytes += peer.queued.bytes;
    }
    return { ...this.#counts, received: this.#received, malformed: this.#malformed, queuedMessages, queuedBytes };
  }

  /** Returns the state of the way to an address; `undefined` if nothing was sent there lately. */
  link(address: string): PeerLinkStatus | undefined {
    return this.#peers.get(address)?.link;
  }

  /**
   * See {@linkcode Transport.start}.
   *
   * @throws {RaftError} `closed`
   */
  // deno-lint-ignore require-await -- an error is a rejection
  async start(receive: Receive): Promise<void> {
    if (this.#closed) throw new RaftError("closed", "the transport is closed");
    this.#receive = receive;
    this.#scheduleSweep();
  }

  /** See {@linkcode Transport.send}. */
  send(address: string, envelope: Envelope): void {
    if (this.#closed || envelopeSize(envelope) > this.#maxMessageBytes) {
      this.#counts.dropped++;
      return;
    }
    const peer = this.#peers.get(address) ?? this.#add(address);
    if (peer === undefined) this.#counts.dropped++;
    else peer.send(envelope);
  }

  /** Adds a peer; returns undefined if there are too many that are not known. */
  #add(address: string): PeerConnection | undefined {
    const known = this.#isKnown(address);
    if (!known && this.#unknown.size >= this.#maxUnknownLinks) {
      this.#endUnknown();
      if (this.#unknown.size >= this.#maxUnknownLinks) return undefined;
    }
    const peer = new PeerConnection(address, this.#peerOptions, this.#counts);
    this.#peers.set(address, peer);
    if (!known) this.#unknown.set(address, peer);
    return peer;
  }

  /** Ends the links to addresses that are not known, if nothing was sent to them of late. */
  #endUnknown(): void {
    const { host: { clock }, hangTimeoutMs } = this.#peerOptions;
    const nowMs = clock.monotonicMs();
    for (const [address, peer] of this.#unknown) {
      if (this.#isKnown(address)) this.#unknown.delete(address);
      else if (nowMs - peer.lastSendMs >= hangTimeoutMs) this.#end(address, peer);
    }
  }

  #end(address: string, peer: PeerConnection): void {
    this.#peers.delete(address);
    this.#unknown.delete(address);
    void peer.close();
  }

  /** See {@linkcode Transport.close}. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#receive = undefined;
    this.#sweep?.();
    for (const end of this.#incoming.keys()) end();
    await Promise.all([...this.#peers.values()].map((peer) => peer.close()));
    this.#peers.clear();
    this.#unknown.clear();
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * For `peerService`: hands on messages that arrived together. The first one that is malformed ends them: a sender
   * that makes one makes more.
   *
   * @internal
   * @returns the error of the first message that was malformed or refused
   */
  deliver(envelopes: readonly WireEnvelope[]): RaftError | undefined {
    let first: RaftError | undefined;
    for (const wire of envelopes) {
      if (this.#receive === undefined) break;
      let envelope: Envelope;
      try {
        envelope = envelopeFromWire(wire);
      } catch (error) {
        if (!(error instanceof RaftError)) throw error;
        this.#malformed++;
        this.#onMalformed(error);
        return first ?? error;
      }
      this.#received++;
      const refused = this.#receive(envelope);
      first ??= refused ?? undefined;
    }
    return first;
  }

  /**
   * For `peerService`: whether anything is still taken.
   *
   * @internal
   */
  get open(): boolean {
    return this.#receive !== undefined;
  }

  /**
   * For `peerService`: notes that a stream carries something. `end` is called on close, or once it no longer does.
   *
   * @internal
   */
  touch(end: () => void): void {
    const isNew = !this.#incoming.delete(end);
    if (isNew && this.#incoming.size >= MAX_INCOMING) {
      // A peer's stream carries a heartbeat many times a second, so it is never the most silent one of so many.
      const [silent] = this.#incoming.keys();
      this.#incoming.delete(silent!);
      silent!();
    }
    // The most silent one stays first.
    this.#incoming.set(end, this.#peerOptions.host.clock.monotonicMs());
  }

  /**
   * For `peerService`: forgets a stream.
   *
   * @internal
   */
  ended(end: () => void): void {
    this.#incoming.delete(end);
  }

  /** Closes idle connections. The receiver waits twice as long, so that it is the sender that closes. */
  #scheduleSweep(): void {
    const { clock } = this.#peerOptions.host;
    this.#sweep = clock.setTimer(this.#idleTimeoutMs / 2, () => {
      const nowMs = clock.monotonicMs();
      for (const [address, peer] of this.#peers) {
        if (nowMs - peer.lastSendMs >= this.#idleTimeoutMs) this.#end(address, peer);
      }
      for (const [end, lastReceivedMs] of this.#incoming) {
        if (nowMs - lastReceivedMs >= 2 * this.#idleTimeoutMs) end();
      }
      this.#scheduleSweep();
    });
  }
}
