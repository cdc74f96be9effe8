/**
 * The transport of a node in a tab, and of a page that only calls nodes.
 */

import type { AdminTransport, CallOptions, ClientTransport } from "../../lib/client/client_transport.ts";
import type { Host } from "../../lib/clock.ts";
import { CallTable } from "../../lib/call_table.ts";
import { closedError, RaftError } from "../../lib/errors.ts";
import { systemHost } from "../../lib/host.ts";
import type { Envelope, Receive, Transport } from "../../lib/transport.ts";
import { MAX_ADDRESS_LENGTH } from "../wire/checked.ts";
import { clientOver } from "../wire/client_codec.ts";
import { envelopeSize } from "../wire/codec.ts";
import { type CallHandler, tabCalls } from "./methods.ts";
import type { PacketChannel } from "./packet_channel.ts";
import { type Answer, decodePacket, encodePacket, type Packet } from "./packet_codec.ts";
import { ServedCalls } from "./served_calls.ts";

/** A transport that carries clients' calls too, since a tab can't be connected to in another way. */
export interface TabTransport extends Transport {
  /** Where others reach it. */
  readonly address: string;
  /** Calls other nodes, whose endpoints are their addresses, and the one here. Ends with the transport. */
  readonly client: ClientTransport & AdminTransport;
  /** The addresses that are reachable now, where that can be known: they can be asked for membership. */
  readonly peers?: readonly string[];
  /** Answers the calls of others from now on. Before, they are `unsupported`. */
  serve(handler: CallHandler): void;
  /**
   * Calls a method of the node at `to`.
   *
   * @throws {RaftError} the error that the other side answers with; `unreachable` if no node is there, where that can be known; `timeout`,
   * `aborted`, `busy`, `too_large` or `closed`. Its outcome is `rejected` only if the call has surely not arrived, or the
   * other side says so
   */
  call(to: string, method: string, request: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
}

/** Options of every tab's transport. Sizes in bytes, times in milliseconds. */
export interface TabTransportOptions {
  /** Where others reach this one; `tabAddress(id)` for a node. */
  readonly address: string;
  /** Clock and random source. @default systemHost() */
  readonly host?: Host;
  /** A larger message, call or answer is dropped. @default 32 MiB */
  readonly maxMessageBytes?: number;
  /** At most this many calls wait for their answers. @default 1024 */
  readonly maxPendingCalls?: number;
  /** At most this many calls of others are served at a time; further ones are refused as `busy`. @default 1024 */
  readonly maxServedCalls?: number;
  /** The bytes of the requests of calls answered at once, at most. @default 64 MiB */
  readonly maxServedBytes?: number;
  /** A call ends after this long at the latest, here and there. @default 30000 */
  readonly callTimeoutMs?: number;
  /** Called for each malformed arrival, which is dropped. */
  readonly onMalformed?: (error: RaftError) => void;
}

/** Options of a {@linkcode PacketTransport}. */
export interface PacketTransportOptions extends TabTransportOptions {
  /** Carries the packets. Started and closed by the transport. */
  readonly channel: PacketChannel;
}

/** Counts of a {@linkcode PacketTransport} so far. */
export interface PacketTransportCounts {
  /** Handed to the channel; they may or may not have arrived. */
  readonly sent: number;
  /** Dropped for lack of a receiver or of room. */
  readonly dropped: number;
  /** Arrived, and handed on. */
  readonly received: number;
  /** Arrived, but could not be read. */
  readonly malformed: number;
  /** Calls that wait for their answers now. */
  readonly pendingCalls: number;
}

const MIB = 1024 * 1024;

/**
 * A {@linkcode TabTransport} over any {@linkcode PacketChannel}.
 *
 * @example
 * ```ts
 * import { KeyValue, MemoryStorage, RaftNode, Sessions } from "./mod.ts";
 * import { type PacketChannel, PacketTransport, serveNode, tabAddress } from "./transport/tab/mod.ts";
 *
 * declare const channel: PacketChannel;
 * const transport = new PacketTransport({ address: tabAddress("n1"), channel });
 * const [address, stateMachine, storage] = [transport.address, new Sessions(new KeyValue()), new MemoryStorage()];
 * const node = await RaftNode.start({ id: "n1", address, transport, stateMachine, storage });
 * transport.serve(serveNode(node));
 * ```
 */
export class PacketTransport implements TabTransport {
  readonly address: string;
  readonly client: ClientTransport & AdminTransport;
  readonly #host: Host;
  readonly #channel: PacketChannel;
  readonly #maxMessageBytes: number;
  readonly #onMalformed: (error: RaftError) => void;
  readonly #calls: CallTable<Uint8Array>;
  readonly #maxPendingCalls: number;
  readonly #callTimeoutMs: number;
  readonly #served: ServedCalls;
  readonly #counts = { sent: 0, dropped: 0, received: 0, malformed: 0 };
  #receive: Receive | undefined;
  #closed = false;

  /** Opens nothing yet. @throws {RaftError} `invalid_argument` for an address that is empty or too long */
  constructor(options: PacketTransportOptions) {
    const { address, channel, host = systemHost(), callTimeoutMs: timeoutMs = 30_000 } = options;
    if (address === "" || address.length > MAX_ADDRESS_LENGTH) {
      throw new RaftError("invalid_argument", `not an address: "${address.slice(0, 80)}"`);
    }
    this.address = address;
    // A node in a tab passes no calls on, and a server need not: the Coordinator follows the leader itself.
    this.client = clientOver((to, options) => tabCalls(this, to, options), () => true);
    this.#host = host;
    this.#channel = channel;
    this.#maxMessageBytes = options.maxMessageBytes ?? 32 * MIB;
    this.#onMalformed = options.onMalformed ?? (() => {});
    // Random: an answer that was meant for an earlier transport at the same address must match no call of this one.
    this.#calls = new CallTable(Math.floor(host.random() * 0x1_0000_0000));
    this.#maxPendingCalls = options.maxPendingCalls ?? 1024;
    this.#callTimeoutMs = timeoutMs;
    this.#served = new ServedCalls({
      host,
      timeoutMs,
      maxServed: options.maxServedCalls ?? 1024,
      maxServedBytes: options.maxServedBytes ?? 64 * MIB,
    });
  }

  /** See {@linkcode TabTransport.peers}. */
  get peers(): readonly string[] {
    return this.#channel.peers ?? [];
  }

  /** The counts so far. */
  get counts(): PacketTransportCounts {
    return { ...this.#counts, pendingCalls: this.#calls.size };
  }

  /**
   * See {@linkcode Transport.start}. Without a node, to call others alone, `receive` does nothing.
   *
   * @throws {RaftError} `closed`; `refused` if another transport is at the same address, where that can be known
   */
  async start(receive: Receive): Promise<void> {
    if (this.#closed) throw closedError("the transport");
    this.#receive = receive;
    try {
      await this.#channel.start((packet) => this.#arrived(packet), (address) => this.#lost(address));
    } catch (error) {
      this.#receive = undefined;
      throw error;
    }
  }

  /** See {@linkcode Transport.send}. */
  send(address: string, envelope: Envelope): void {
    if (envelopeSize(envelope) > this.#maxMessageBytes) this.#counts.dropped++;
    else this.#post({ to: address, from: this.address, body: { type: "envelope", envelope } });
  }

  /** See {@linkcode TabTransport.serve}. */
  serve(handler: CallHandler): void {
    if (!this.#closed) this.#served.handler = handler;
  }

  /** See {@linkcode TabTransport.call}. */
  async call(to: string, method: string, request: Uint8Array, { signal }: CallOptions = {}): Promise<Uint8Array> {
    if (request.length > this.#maxMessageBytes) {
      throw new RaftError("too_large", `a call of ${request.length} bytes is over ${this.#maxMessageBytes}`);
    }
    if (this.#calls.size >= this.#maxPendingCalls) {
      throw new RaftError("busy", `${this.#calls.size} calls wait for their answers already`);
    }
    const ms = this.#callTimeoutMs;
    return await this.#calls.call({
      to,
      signal,
      timeout: { clock: this.#host.clock, ms, message: `no answer from ${to} within ${ms} ms` },
      post: (id) => this.#post({ to, from: this.address, body: { type: "call", id, method, request } }),
    });
  }

  /** See {@linkcode Transport.close}. Calls that wait end with `closed`. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#receive = undefined;
    this.#calls.close(closedError("the transport"));
    this.#served.close();
    await this.#channel.close();
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Hands a packet to the channel; returns false if it has surely not left. */
  #post(packet: Packet): boolean {
    const sent = this.#receive !== undefined && this.#handOn(packet);
    if (sent) this.#counts.sent++;
    else this.#counts.dropped++;
    return sent;
  }

  /** A client may well call the node at its own address, if that one leads. */
  #handOn(packet: Packet): boolean {
    const bytes = encodePacket(packet);
    if (packet.to !== this.address) return this.#channel.send(packet.to, bytes) !== false;
    this.#host.enqueue(() => this.#arrived(bytes));
    return true;
  }

  #arrived(bytes: Uint8Array): void {
    if (this.#receive === undefined) return;
    let packet: Packet;
    try {
      packet = decodePacket(bytes);
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
      this.#counts.malformed++;
      this.#onMalformed(error);
      return;
    }
    this.#counts.received++;
    const { body } = packet;
    if (body.type === "envelope") this.#receive(body.envelope);
    else if (body.type === "answer") this.#calls.answered(body.id, body.outcome, packet.from);
    else void this.#served.serve(packet.from, body, (answer) => this.#answer(packet, answer));
  }

  /** An answer goes back the way the call came: from the address that was called, whatever else this one is called. */
  #answer(call: Packet, answer: Answer): void {
    const { outcome } = answer;
    const tooLarge = !(outcome instanceof RaftError) && outcome.length > this.#maxMessageBytes
      ? new RaftError("too_large", `the answer is over ${this.#maxMessageBytes} bytes`, { outcome: "unknown" })
      : outcome;
    this.#post({ to: call.from, from: call.to, body: { ...answer, outcome: tooLarge } });
  }

  #lost(address: string): void {
    this.#calls.lost(address, new RaftError("unreachable", `the node at ${address} is gone`));
    this.#served.lost(address);
  }
}
