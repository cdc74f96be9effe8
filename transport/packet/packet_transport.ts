/**
 * The transport of a node in a tab, and of a page that only calls nodes.
 *
 * @module
 */

import type { AdminTransport, CallOptions, ClientTransport } from "../../lib/client/client_transport.ts";
import type { Host } from "../../lib/clock.ts";
import { RaftError } from "../../lib/errors.ts";
import { systemHost } from "../../lib/host.ts";
import type { Envelope, Receive, Transport } from "../../lib/transport.ts";
import { MAX_ADDRESS_LENGTH } from "../wire/checked.ts";
import { envelopeSize } from "../wire/codec.ts";
import { Calls } from "./calls.ts";
import type { CallHandler } from "./methods.ts";
import type { PacketCarrier } from "./packet_carrier.ts";
import { type Answer, decodePacket, encodePacket, type Packet } from "./packet_codec.ts";
import { ServedCalls } from "./served_calls.ts";
import { tabClient } from "./tab_client.ts";

/** A transport that carries clients' calls too: nobody can connect to a tab in another way. */
export interface TabTransport extends Transport {
  /** Where others reach it. */
  readonly address: string;
  /** Calls other nodes, whose endpoints are their addresses, and the one here. Ends with the transport. */
  readonly client: ClientTransport & AdminTransport;
  /** Answers the calls of others from now on. Until then they are `unsupported`. */
  serve(handler: CallHandler): void;
  /**
   * Calls a method of whoever is at `to`.
   *
   * @throws {RaftError} what the other side says; `unreachable` if nobody is there, where that can be known; `timeout`,
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
  /** Calls that wait for their answers, at most. @default 1024 */
  readonly maxPendingCalls?: number;
  /** Calls of others that are under way here, at most; more are refused as `busy`. @default 1024 */
  readonly maxServedCalls?: number;
  /** A call ends after so long at the latest, here and there. @default 30000 */
  readonly callTimeoutMs?: number;
  /** Told of what arrived malformed, and was dropped. */
  readonly onMalformed?: (error: RaftError) => void;
}

/** Options of a {@linkcode PacketTransport}. */
export interface PacketTransportOptions extends TabTransportOptions {
  /** Carries the packets. Started and closed by the transport. */
  readonly carrier: PacketCarrier;
}

/** What a {@linkcode PacketTransport} did so far. */
export interface PacketTransportCounts {
  /** Handed to the carrier; whether they arrived isn't known. */
  readonly sent: number;
  /** For want of a receiver or of room. */
  readonly dropped: number;
  /** Arrived, and handed on. */
  readonly received: number;
  /** Arrived, but could not be read. */
  readonly malformed: number;
  /** Calls that wait for their answers now. */
  readonly pendingCalls: number;
}

const MIB = 1024 * 1024;

/** Where a node in a tab is reached. */
export function tabAddress(id: string): string {
  return `tab:${id}`;
}

/**
 * A {@linkcode TabTransport} over any {@linkcode PacketCarrier}.
 *
 * @example
 * ```ts ignore
 * const transport = new PacketTransport({ address: tabAddress("n1"), carrier });
 * const node = await RaftNode.start({ id: "n1", address: transport.address, transport, ...rest });
 * transport.serve(serveNode(node));
 * ```
 */
export class PacketTransport implements TabTransport {
  readonly address: string;
  readonly client: ClientTransport & AdminTransport;
  readonly #host: Host;
  readonly #carrier: PacketCarrier;
  readonly #maxMessageBytes: number;
  readonly #onMalformed: (error: RaftError) => void;
  readonly #calls: Calls;
  readonly #served: ServedCalls;
  readonly #counts = { sent: 0, dropped: 0, received: 0, malformed: 0 };
  #receive: Receive | undefined;
  #closed = false;

  /** Opens nothing yet. @throws {RaftError} `invalid_argument` for an address that is empty or too long */
  constructor(options: PacketTransportOptions) {
    const { address, carrier, host = systemHost(), callTimeoutMs: timeoutMs = 30_000 } = options;
    if (address === "" || address.length > MAX_ADDRESS_LENGTH) {
      throw new RaftError("invalid_argument", `not an address: "${address.slice(0, 80)}"`);
    }
    this.address = address;
    this.client = tabClient(this);
    this.#host = host;
    this.#carrier = carrier;
    this.#maxMessageBytes = options.maxMessageBytes ?? 32 * MIB;
    this.#onMalformed = options.onMalformed ?? (() => {});
    this.#calls = new Calls({
      host,
      timeoutMs,
      maxPending: options.maxPendingCalls ?? 1024,
      send: (to, body) => this.#post({ to, from: this.address, body }),
    });
    this.#served = new ServedCalls({ host, timeoutMs, maxServed: options.maxServedCalls ?? 1024 });
  }

  /** What happened so far. */
  get counts(): PacketTransportCounts {
    return { ...this.#counts, pendingCalls: this.#calls.pending };
  }

  /**
   * See {@linkcode Transport.start}. Without a node, to call others alone, `receive` does nothing.
   *
   * @throws {RaftError} `closed`; `refused` if another transport is at the same address, where that can be known
   */
  async start(receive: Receive): Promise<void> {
    if (this.#closed) throw new RaftError("closed", "the transport is closed");
    this.#receive = receive;
    try {
      await this.#carrier.start((packet) => this.#arrived(packet), (address) => this.#lost(address));
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
    return await this.#calls.call(to, method, request, signal);
  }

  /** See {@linkcode Transport.close}. Calls that wait end with `closed`. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#receive = undefined;
    this.#calls.close();
    this.#served.close();
    await this.#carrier.close();
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Hands a packet to the carrier; `false` if it has surely not left. */
  #post(packet: Packet): boolean {
    const sent = this.#receive !== undefined && this.#handOn(packet);
    if (sent) this.#counts.sent++;
    else this.#counts.dropped++;
    return sent;
  }

  /** A client here may well call the node here, if that one leads. */
  #handOn(packet: Packet): boolean {
    const bytes = encodePacket(packet);
    if (packet.to !== this.address) return this.#carrier.send(packet.to, bytes) !== false;
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
    else if (body.type === "answer") this.#calls.answered(packet.from, body);
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
    this.#calls.lost(address);
    this.#served.lost(address);
  }
}
