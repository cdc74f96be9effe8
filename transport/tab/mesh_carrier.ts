/**
 * A carrier of packets over a medium that all nodes share: it knows who is
 * there, and limits what is on its way to each.
 *
 * @module
 */

import type { Host } from "../../lib/clock.ts";
import { RaftError } from "../../lib/errors.ts";
import { systemHost } from "../../lib/host.ts";
import { randomName } from "../../lib/node/identity.ts";
import { Credit, type CreditLimits, MAX_ASK } from "../packet/credit.ts";
import { type Frame, FRAME_VERSION, type FrameBody, frameOf, type Hello } from "./frame.ts";
import { tell } from "../packet/listeners.ts";
import type { PacketCarrier, ReceivePacket } from "../packet/packet_carrier.ts";
import { holdAlone, holdSession, type Locks, originLocks, type Release, watchSession } from "./presence.ts";

/** A channel, or ports: what frames go through. */
export interface MeshMedium {
  /** Begins to deliver what arrives, of whatever kind. @param unheard who was at these addresses is gone */
  open(receive: (data: unknown) => void, unheard: (address: string) => void): void;
  /** Opens what it needs to post to this address, and to hear from there. */
  meet(address: string): void;
  /** Frees what it opened for this address. */
  part(address: string): void;
  /** Posts to the receiver, or to everyone. The packet's buffer may be transferred. */
  post(frame: Frame): void;
  /** Posts nothing and delivers nothing any more. */
  close(): void;
}

/** Options of transports that know who is there. Sizes in bytes, times in milliseconds. */
export interface MeshOptions {
  /** Told of each address at which somebody is from now on. */
  readonly onArrived?: (address: string) => void;
  /** Told of each address at which nobody is any more. One that came back is told as departed and arrived. */
  readonly onDeparted?: (address: string) => void;
  /** Messages on their way to one peer that hasn't acknowledged any of them, at most; more are dropped. @default 4096 */
  readonly maxInFlightMessages?: number;
  /** Their bytes. @default 32 MiB */
  readonly maxInFlightBytes?: number;
  /** What tells of a tab that dies without a goodbye; `null` for nothing. @default navigator.locks */
  readonly locks?: Locks | null;
}

/** Options of a {@linkcode MeshCarrier}. */
export interface MeshCarrierOptions extends MeshOptions {
  readonly address: string;
  readonly medium: MeshMedium;
  readonly host?: Host | undefined;
  /** A name that one carrier alone may have, and how long to wait for it. */
  readonly alone?: { readonly name: string; readonly waitMs: number };
}

interface Peer {
  readonly session: string;
  /** Whether anything but a hello came from it: then each hears the other. */
  here: boolean;
  readonly credit: Credit;
  /** Leaves off waiting for its end. */
  readonly unwatch: () => void;
}

const MIB = 1024 * 1024;

/** Asks whether the other hears anything. No {@linkcode Credit} asks with it. */
const FIRST_ASK = 0x8000_0000;

/** See the module. */
export class MeshCarrier implements PacketCarrier {
  readonly #options: MeshCarrierOptions;
  readonly #host: Host;
  readonly #locks: Locks | null;
  readonly #limits: CreditLimits;
  readonly #session: string;
  readonly #peers = new Map<string, Peer>();
  readonly #releases: Release[] = [];
  readonly #closing = new AbortController();
  #receive: ReceivePacket | undefined;
  #lost: (address: string) => void = () => {};
  #locked = false;
  #malformed = 0;
  #starting: Promise<void> | undefined;

  constructor(options: MeshCarrierOptions) {
    this.#options = options;
    this.#host = options.host ?? systemHost();
    this.#locks = options.locks === undefined ? originLocks() : options.locks;
    this.#limits = {
      maxMessages: options.maxInFlightMessages ?? 4096,
      maxBytes: options.maxInFlightBytes ?? 32 * MIB,
    };
    this.#session = randomName(() => this.#host.random());
  }

  /** The addresses at which somebody is. */
  get peers(): readonly string[] {
    return [...this.#peers].filter(([, { here }]) => here).map(([address]) => address);
  }

  /** What arrived and was no frame. */
  get malformed(): number {
    return this.#malformed;
  }

  /** See {@linkcode PacketCarrier.start}. */
  start(receive: ReceivePacket, lost: (address: string) => void): Promise<void> {
    this.#starting ??= this.#start(receive, lost);
    return this.#starting;
  }

  async #start(receive: ReceivePacket, lost: (address: string) => void): Promise<void> {
    await this.#takeLocks();
    if (this.#closing.signal.aborted) throw new RaftError("closed", "the transport was closed while it started");
    this.#receive = receive;
    this.#lost = lost;
    this.#options.medium.open((data) => this.#arrived(data), (address) => this.#departed(address));
    this.greet("");
  }

  async #takeLocks(): Promise<void> {
    if (this.#locks === null) return;
    const { alone } = this.#options;
    if (alone !== undefined) {
      const release = await holdAlone(this.#locks, alone.name, this.#host, alone.waitMs, this.#closing.signal);
      if (release !== null) this.#releases.push(release);
    }
    const release = await holdSession(this.#locks, this.#session);
    if (release === null) return;
    this.#releases.push(release);
    this.#locked = true;
  }

  /** Says hello to who is at `to`, or to everyone, and asks for the same. Does nothing before `start`. */
  greet(to: string): void {
    if (this.#receive !== undefined) this.#hello(to, true);
  }

  /** See {@linkcode PacketCarrier.send}. */
  send(to: string, packet: Uint8Array<ArrayBuffer>): boolean {
    const peer = this.#receive === undefined ? undefined : this.#peers.get(to);
    const ask = peer?.here ? peer.credit.take(packet.length) : null;
    if (ask === null) return false;
    this.#post(to, { kind: "parcel", packet, ask });
    return true;
  }

  /** See {@linkcode PacketCarrier.close}. */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort();
      if (this.#receive !== undefined) this.#post("", { kind: "goodbye" });
      this.#receive = undefined;
      this.#options.medium.close();
      for (const { unwatch } of this.#peers.values()) unwatch();
      this.#peers.clear();
    }
    await this.#starting?.catch(() => {});
    await Promise.all(this.#releases.map((release) => release()));
  }

  #hello(to: string, answer: boolean): void {
    this.#post(to, { kind: "hello", locked: this.#locked, answer });
  }

  #post(to: string, body: FrameBody): void {
    const { address: from, medium } = this.#options;
    medium.post({ raftCore: FRAME_VERSION, to, from, session: this.#session, ...body });
  }

  #arrived(data: unknown): void {
    if (this.#receive === undefined) return;
    const frame = frameOf(data);
    if (frame === null) {
      this.#malformed++;
      return;
    }
    const { address } = this.#options;
    // Where there are no locks, another may have the same address. It is not for this one to talk to.
    if ((frame.to !== "" && frame.to !== address) || frame.from === address) return;
    switch (frame.kind) {
      case "hello":
        return this.#greeted(frame.from, frame.session, frame);
      case "goodbye":
        return this.#departed(frame.from, frame.session);
      case "parcel":
        this.#heard(frame.from, frame.session);
        if (frame.ask !== 0) this.#post(frame.from, { kind: "ack", ack: frame.ask });
        if (frame.packet !== null) this.#receive(frame.packet);
        return;
      case "ack": {
        this.#heard(frame.from, frame.session);
        const ask = this.#peers.get(frame.from)?.credit.acknowledge(frame.ack) ?? 0;
        if (ask !== 0) this.#post(frame.from, { kind: "parcel", packet: null, ask });
      }
    }
  }

  /**
   * Each opens its way to the other when it hears of it, and then asks something.
   * What the first one asks may be lost; what the second one asks is not, nor is
   * the answer. So both know when they hear each other.
   */
  #greeted(from: string, session: string, { locked, answer }: Hello): void {
    const isNew = this.#peers.get(from)?.session !== session;
    if (isNew) {
      this.#departed(from);
      this.#options.medium.meet(from);
    }
    if (answer) this.#hello(from, false);
    if (!isNew) return;
    const credit = new Credit(this.#limits, Math.floor(this.#host.random() * MAX_ASK));
    const ended = (): void => this.#departed(from, session);
    const unwatch = locked && this.#locks !== null ? watchSession(this.#locks, session, ended) : () => {};
    this.#peers.set(from, { session, here: false, credit, unwatch });
    this.#post(from, { kind: "parcel", packet: null, ask: FIRST_ASK });
  }

  #heard(from: string, session: string): void {
    const peer = this.#peers.get(from);
    if (peer === undefined || peer.here || peer.session !== session) return;
    peer.here = true;
    tell(this.#options.onArrived, from);
  }

  /** Forgets a peer: the one of that session, if one is given. */
  #departed(address: string, session?: string): void {
    const peer = this.#peers.get(address);
    if (peer === undefined || (session !== undefined && peer.session !== session)) return;
    this.#peers.delete(address);
    this.#options.medium.part(address);
    peer.unwatch();
    this.#lost(address);
    if (peer.here) tell(this.#options.onDeparted, address);
  }
}
