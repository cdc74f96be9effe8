/**
 * All nodes of a cluster in the tabs and workers of one origin, by
 * BroadcastChannels.
 *
 * @module
 */

import type { Frame } from "./frame.ts";
import { MeshCarrier, type MeshMedium, type MeshOptions } from "./mesh_carrier.ts";
import { PacketTransport, type PacketTransportCounts, type TabTransportOptions } from "../packet/packet_transport.ts";

/** Options of a {@linkcode BroadcastChannelTransport}. */
export interface BroadcastChannelTransportOptions extends TabTransportOptions, MeshOptions {
  /** Nodes of one cluster hear each other. */
  readonly clusterId: string;
  /** How long `start` waits for another at the same address to go, in milliseconds: a tab that is reloaded. @default 1000 */
  readonly takeOverMs?: number;
}

/**
 * Reaches every tab and worker of the origin that is on the same cluster's
 * channel, without being told of them; and knows who is there.
 *
 * A tab that is closed says goodbye, or its Web Lock tells that it is gone.
 *
 * @example
 * ```ts ignore
 * const transport = new BroadcastChannelTransport({ clusterId: "demo", address: tabAddress("n1") });
 * ```
 */
export class BroadcastChannelTransport extends PacketTransport {
  readonly #mesh: MeshCarrier;

  /** Opens nothing yet. @throws {RaftError} `invalid_argument` for an address that is empty or too long */
  constructor(options: BroadcastChannelTransportOptions) {
    const { clusterId, address, takeOverMs = 1000 } = options;
    const name = `raft-core:${clusterId}`;
    const alone = { name: `${address} of cluster ${clusterId}`, waitMs: takeOverMs };
    const mesh = new MeshCarrier({ ...options, medium: new Channels(name, address), alone });
    super({ ...options, carrier: mesh });
    this.#mesh = mesh;
  }

  /** The addresses at which somebody is. */
  get peers(): readonly string[] {
    return this.#mesh.peers;
  }

  /** See {@linkcode PacketTransport.counts}. */
  override get counts(): PacketTransportCounts {
    const counts = super.counts;
    return { ...counts, malformed: counts.malformed + this.#mesh.malformed };
  }
}

/**
 * One channel for all to say hello and goodbye, and one for every two: a channel
 * copies what is posted to all who listen, and at one of them who hangs the
 * messages of all others would pile up.
 */
class Channels implements MeshMedium {
  readonly #name: string;
  readonly #address: string;
  readonly #pairs = new Map<string, BroadcastChannel>();
  #everyone: BroadcastChannel | undefined;
  #receive: (data: unknown) => void = () => {};

  constructor(name: string, address: string) {
    this.#name = name;
    this.#address = address;
  }

  open(receive: (data: unknown) => void): void {
    this.#receive = receive;
    this.#everyone = this.#channel(this.#name);
  }

  meet(address: string): void {
    this.part(address);
    const pair = JSON.stringify([this.#address, address].sort());
    this.#pairs.set(address, this.#channel(`${this.#name}:${pair}`));
  }

  part(address: string): void {
    this.#pairs.get(address)?.close();
    this.#pairs.delete(address);
  }

  post(frame: Frame): void {
    const forAll = frame.kind === "hello" || frame.kind === "goodbye";
    try {
      (forAll ? this.#everyone : this.#pairs.get(frame.to))?.postMessage(frame);
    } catch {
      // Lost. In Deno a channel that was made while the process's last one was closing can't send.
    }
  }

  close(): void {
    this.#everyone?.close();
    this.#everyone = undefined;
    for (const address of [...this.#pairs.keys()]) this.part(address);
  }

  #channel(name: string): BroadcastChannel {
    const channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }) => this.#receive(data);
    return channel;
  }
}
