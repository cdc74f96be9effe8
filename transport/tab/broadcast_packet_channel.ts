/**
 * Packets over BroadcastChannels. Every tab and worker of the origin is reached
 * without being named first, so this also knows which peers are there, and limits
 * what is on its way to each.
 */

import type { Host } from "../../lib/clock.ts";
import { RaftError } from "../../lib/errors.ts";
import { randomId } from "../../lib/random_id.ts";
import { notify } from "../packet/listeners.ts";
import { type Locks, originLocks, type Release } from "../packet/locks.ts";
import type { PacketChannel, ReceivePacket } from "../packet/packet_channel.ts";
import type { TabTransportOptions } from "../packet/packet_transport.ts";
import { MAX_ACK_REQUEST, SendWindow } from "../packet/send_window.ts";
import { type Frame, FRAME_VERSION, type FrameBody, frameOf, type Hello } from "./frame.ts";
import { holdAlone, holdSession, watchSession } from "./presence.ts";

/** Options of a {@linkcode BroadcastChannelTransport}. Sizes in bytes, times in milliseconds. */
export interface BroadcastChannelTransportOptions extends TabTransportOptions {
  /** Nodes of the same cluster reach each other. */
  readonly clusterId: string;
  /** Called with the address of each peer that becomes reachable. */
  readonly onArrived?: (address: string) => void;
  /** Called with the address of each peer that is no longer reachable. One that came back has departed and arrived. */
  readonly onDeparted?: (address: string) => void;
  /** At most this many unacknowledged messages are on their way to one peer; further ones are dropped. @default 4096 */
  readonly maxInflightMessages?: number;
  /** The same limit in bytes. @default 32 MiB */
  readonly maxInflightBytes?: number;
  /** The locks that reveal the end of a tab without a goodbye; `null` for none. @default navigator.locks */
  readonly locks?: Locks | null;
  /** How long `start` waits for another tab at the same address to end, such as one that is reloaded. @default 1000 */
  readonly takeOverMs?: number;
}

interface Peer {
  readonly session: string;
  /** The channel that the two have for themselves. */
  readonly channel: BroadcastChannel;
  readonly window: SendWindow;
  /** True once it has sent anything but a hello: from then on, each reaches the other. */
  reachable: boolean;
  /** Stops watching for its end. */
  readonly unwatch: () => void;
}

const MIB = 1024 * 1024;

/** Requests the first sign that the peer receives. No {@linkcode SendWindow} uses this number. */
const FIRST_ACK_REQUEST = 0x8000_0000;

/**
 * One channel for all to say hello and goodbye, and one for every two: a channel
 * copies what is posted to all its listeners, and at one that hangs the messages
 * of all others would pile up.
 */
export class BroadcastPacketChannel implements PacketChannel {
  /** The number of arrivals that were not frames. */
  malformed = 0;
  readonly #options: BroadcastChannelTransportOptions & { readonly host: Host };
  readonly #locks: Locks | null;
  readonly #name: string;
  readonly #session: string;
  readonly #peers = new Map<string, Peer>();
  readonly #releases: Release[] = [];
  readonly #closing = new AbortController();
  #everyone: BroadcastChannel | undefined;
  #receive: ReceivePacket | undefined;
  #lost: (address: string) => void = () => {};
  #locked = false;
  #starting: Promise<void> | undefined;

  constructor(options: BroadcastChannelTransportOptions & { readonly host: Host }) {
    this.#options = options;
    this.#locks = options.locks === undefined ? originLocks() : options.locks;
    this.#name = `raft-core:${options.clusterId}`;
    this.#session = randomId(() => options.host.random());
  }

  /** The addresses of the peers that are reachable. */
  get peers(): readonly string[] {
    return [...this.#peers].filter(([, { reachable }]) => reachable).map(([address]) => address);
  }

  start(receive: ReceivePacket, lost: (address: string) => void): Promise<void> {
    this.#starting ??= this.#start(receive, lost);
    return this.#starting;
  }

  async #start(receive: ReceivePacket, lost: (address: string) => void): Promise<void> {
    await this.#takeLocks();
    if (this.#closing.signal.aborted) throw new RaftError("closed", "the transport was closed while it started");
    this.#receive = receive;
    this.#lost = lost;
    this.#everyone = this.#open(this.#name);
    this.#hello("", true);
  }

  async #takeLocks(): Promise<void> {
    const { clusterId, address, host, takeOverMs = 1000 } = this.#options;
    const locks = this.#locks;
    if (locks === null) return;
    const name = `${address} of cluster ${clusterId}`;
    const alone = await holdAlone(locks, name, host, takeOverMs, this.#closing.signal);
    if (alone !== null) this.#releases.push(alone);
    const session = await holdSession(locks, this.#session);
    if (session === null) return;
    this.#releases.push(session);
    this.#locked = true;
  }

  send(to: string, packet: Uint8Array<ArrayBuffer>): boolean {
    const peer = this.#receive === undefined ? undefined : this.#peers.get(to);
    const ackRequest = peer?.reachable ? peer.window.take(packet.length) : null;
    if (ackRequest === null) return false;
    this.#post(to, { kind: "packet", packet, ackRequest });
    return true;
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort();
      if (this.#receive !== undefined) this.#post("", { kind: "goodbye" });
      this.#receive = undefined;
      this.#everyone?.close();
      for (const { channel, unwatch } of this.#peers.values()) {
        channel.close();
        unwatch();
      }
      this.#peers.clear();
    }
    await this.#starting?.catch(() => {});
    await Promise.all(this.#releases.map((release) => release()));
  }

  #open(name: string): BroadcastChannel {
    const channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }) => this.#arrived(data);
    return channel;
  }

  #hello(to: string, answer: boolean): void {
    this.#post(to, { kind: "hello", locked: this.#locked, answer });
  }

  #post(to: string, body: FrameBody): void {
    const frame: Frame = { raftCore: FRAME_VERSION, to, from: this.#options.address, session: this.#session, ...body };
    const forAll = body.kind === "hello" || body.kind === "goodbye";
    try {
      (forAll ? this.#everyone : this.#peers.get(to)?.channel)?.postMessage(frame);
    } catch {
      // Lost. In Deno a channel that was made while the process's last one was closing can't send.
    }
  }

  #arrived(data: unknown): void {
    if (this.#receive === undefined) return;
    const frame = frameOf(data);
    if (frame === null) {
      this.malformed++;
      return;
    }
    const { address } = this.#options;
    // Where there are no locks, another tab may have the same address. It is not a peer.
    if ((frame.to !== "" && frame.to !== address) || frame.from === address) return;
    switch (frame.kind) {
      case "hello":
        return this.#greeted(frame.from, frame.session, frame);
      case "goodbye":
        return this.#departed(frame.from, frame.session);
      case "packet":
        this.#received(frame.from, frame.session);
        if (frame.ackRequest !== 0) this.#post(frame.from, { kind: "ack", ack: frame.ackRequest });
        if (frame.packet !== null) this.#receive(frame.packet);
        return;
      case "ack": {
        this.#received(frame.from, frame.session);
        const ackRequest = this.#peers.get(frame.from)?.window.acknowledge(frame.ack) ?? 0;
        if (ackRequest !== 0) this.#post(frame.from, { kind: "packet", packet: null, ackRequest });
      }
    }
  }

  /**
   * Each side opens the common channel when it receives the other's hello, and
   * then requests an acknowledgement. The first side's request may be lost; the
   * second side's is not, nor is the answer. So both learn that they reach each other.
   */
  #greeted(from: string, session: string, { locked, answer }: Hello): void {
    const isNew = this.#peers.get(from)?.session !== session;
    if (isNew) this.#connect(from, session, locked);
    if (answer) this.#hello(from, false);
    if (isNew) this.#post(from, { kind: "packet", packet: null, ackRequest: FIRST_ACK_REQUEST });
  }

  #connect(address: string, session: string, locked: boolean): void {
    this.#departed(address);
    const { host, maxInflightMessages: maxMessages = 4096, maxInflightBytes: maxBytes = 32 * MIB } = this.#options;
    const ended = (): void => this.#departed(address, session);
    this.#peers.set(address, {
      session,
      channel: this.#open(`${this.#name}:${JSON.stringify([this.#options.address, address].sort())}`),
      window: new SendWindow({ maxMessages, maxBytes }, Math.floor(host.random() * MAX_ACK_REQUEST)),
      reachable: false,
      unwatch: locked && this.#locks !== null ? watchSession(this.#locks, session, ended) : () => {},
    });
  }

  #received(from: string, session: string): void {
    const peer = this.#peers.get(from);
    if (peer === undefined || peer.reachable || peer.session !== session) return;
    peer.reachable = true;
    notify(this.#options.onArrived, from);
  }

  /** Forgets a peer: the one of that session, if one is given. */
  #departed(address: string, session?: string): void {
    const peer = this.#peers.get(address);
    if (peer === undefined || (session !== undefined && peer.session !== session)) return;
    this.#peers.delete(address);
    peer.channel.close();
    peer.unwatch();
    this.#lost(address);
    if (peer.reachable) notify(this.#options.onDeparted, address);
  }
}
