/**
 * The transport of one node at a relay.
 */

import type { PacketChannel, ReceivePacket } from "../packet/packet_channel.ts";
import { PacketTransport, type PacketTransportOptions } from "../packet/packet_transport.ts";

/** The part of the page's relay that a node's channel needs. */
export interface ChannelRelay {
  /** @throws {RaftError} `refused` if another is open at the address; `closed` */
  open(channel: RelayChannel): void;
  send(to: string, packet: Uint8Array<ArrayBuffer>): boolean;
  close(channel: RelayChannel): void;
}

/** Carries the packets of one address. */
export class RelayChannel implements PacketChannel {
  readonly address: string;
  readonly #relay: ChannelRelay;
  #receive: ReceivePacket | undefined;
  #lost: ((address: string) => void) | undefined;

  constructor(address: string, relay: ChannelRelay) {
    this.address = address;
    this.#relay = relay;
  }

  // deno-lint-ignore require-await -- an error is a rejection
  async start(receive: ReceivePacket, lost: (address: string) => void): Promise<void> {
    this.#relay.open(this);
    this.#receive = receive;
    this.#lost = lost;
  }

  send(to: string, packet: Uint8Array<ArrayBuffer>): boolean {
    return this.#receive !== undefined && this.#relay.send(to, packet);
  }

  close(): Promise<void> {
    this.#receive = undefined;
    this.#lost = undefined;
    this.#relay.close(this);
    return Promise.resolve();
  }

  /** For the relay. */
  receive(packet: Uint8Array): void {
    this.#receive?.(packet);
  }

  /** For the relay. */
  lost(address: string): void {
    this.#lost?.(address);
  }
}

/** The transport of one node, over the relay of its page. */
export class RelayTransport extends PacketTransport {
  readonly #servers: () => readonly string[];

  /** Use `RelayClient.transport`. */
  constructor(options: PacketTransportOptions, servers: () => readonly string[]) {
    super(options);
    this.#servers = servers;
  }

  /** The addresses of the servers that are attached now: they can be asked for membership. */
  get peers(): readonly string[] {
    return this.#servers();
  }
}
