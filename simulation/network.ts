/**
 * The network between nodes: in some seeds bytes of the real codec, each message
 * with a fate of its own, and links that are cut or clogged for a while.
 */

import { crc32c } from "../lib/crc32c.ts";
import { RaftError } from "../lib/errors.ts";
import type { Envelope } from "../lib/transport.ts";
import { decodeEnvelope, encodeEnvelope } from "../transport/wire/codec.ts";
import type { Addresses } from "./addresses.ts";
import type { Stream } from "./decisions.ts";
import type { NetworkTraits } from "./plan.ts";
import type { Run } from "./run.ts";
import { describeMessage } from "./story.ts";
import type { Actor } from "./scheduler.ts";

/** A machine that messages arrive at. */
export interface Receiver extends Actor {
  /** Receives a message; it may be for an earlier process of the machine. */
  receive(envelope: Envelope): void;
}

/** A message on its way: encoded, or as it is. */
type Packet = Uint8Array | Envelope;

/** The link from one machine to another, in one direction. */
interface Link {
  readonly chance: Stream;
  readonly leastDelayUs: number;
  readonly number: number;
  cut: number;
  /** Messages that wait while the link is clogged; `null` if it is not. */
  held: (() => void)[] | null;
}

/** The longest time after which an old message is replayed. */
const REPLAY_MS = 8000;

export class Network {
  readonly #run: Run;
  readonly #traits: NetworkTraits;
  readonly #receivers: ReadonlyMap<string, Receiver>;
  readonly #addresses: Addresses;
  /** The links by the names of both machines, that of the sender first. */
  readonly #links = new Map<string, Map<string, Link>>();
  #count = 0;

  /** @param receivers the machines by their names */
  constructor(run: Run, traits: NetworkTraits, receivers: ReadonlyMap<string, Receiver>, addresses: Addresses) {
    this.#run = run;
    this.#traits = traits;
    this.#receivers = receivers;
    this.#addresses = addresses;
  }

  /** Returns the machine at an address; `null` if none is there. In the end, when all is healed, former addresses lead there, too. */
  machineAt(address: string): string | null {
    return this.#addresses.machineAt(address, this.#run.calm);
  }

  /** Cuts one direction, and returns a function that ends this cut. Several cuts add up. */
  cut(from: string, to: string): () => void {
    const link = this.#link(from, to);
    link.cut++;
    let done = false;
    return () => {
      if (!done) link.cut--;
      done = true;
    };
  }

  /** Holds back the messages of one direction, and returns a function that delivers them all at once. */
  clog(from: string, to: string): () => void {
    const link = this.#link(from, to);
    link.held ??= [];
    return () => {
      const held = link.held ?? [];
      link.held = null;
      for (const arrive of held) arrive();
    };
  }

  /** Reports whether messages from `from` reach `to`. */
  reaches(from: string, to: string): boolean {
    return this.#link(from, to).cut === 0;
  }

  /** Reports whether the link between two machines is neither cut nor clogged, in either direction. */
  isWell(one: string, other: string): boolean {
    return isSound(this.#link(one, other)) && isSound(this.#link(other, one));
  }

  /** Draws the delay of one message or call. */
  delayUs(from: string, to: string, chance: Stream): number {
    const unit = chance.unit();
    return Math.round(this.#link(from, to).leastDelayUs + unit * unit * this.#traits.spreadDelayUs);
  }

  /** Sends one message to an address; returns at once. */
  send(from: string, address: string, envelope: Envelope): void {
    const to = this.machineAt(address);
    if (to === null) return this.#run.trace.count("message to a vacant address");
    if (to !== envelope.to) this.#run.trace.count("message to another's address");
    const link = this.#link(from, to);
    const packet = this.#traits.encoded ? encodeEnvelope(envelope) : envelope;
    const { trace, calm } = this.#run;
    trace.count("message sent");
    trace.mark("sent", link.number, packet instanceof Uint8Array ? crc32c(packet) : envelope.message.term);
    const chance = link.chance.next();
    let delayUs = this.delayUs(from, to, chance);
    if (link.cut > 0) return trace.count("message cut off");
    if (calm) return this.#arriveAfter(delayUs, link, to, packet);
    const { loss, duplication, delay, replay, flip } = this.#traits;
    const strikes = (what: string, probability: number): boolean => {
      if (!chance.strikes(what, probability)) return false;
      trace.count(what);
      trace.describe("network", () => `${what} of ${describeMessage(envelope)}`);
      return true;
    };
    if (strikes("loss", loss)) return;
    if (strikes("delay", delay)) delayUs += chance.below(300_000);
    if (strikes("duplication", duplication)) this.#arriveAfter(delayUs + chance.below(50_000), link, to, packet);
    if (strikes("replay", replay)) this.#arriveAfter(delayUs + chance.below(REPLAY_MS * 1000), link, to, packet);
    if (packet instanceof Uint8Array && strikes("flip", flip)) return this.#arriveDamaged(packet, chance);
    this.#arriveAfter(delayUs, link, to, packet);
  }

  #link(from: string, to: string): Link {
    return this.#links.get(from)?.get(to) ?? this.#newLink(from, to);
  }

  #newLink(from: string, to: string): Link {
    const chance = this.#run.decisions.stream(`net ${from}>${to}`);
    const { leastDelayUs, unevenness } = this.#traits;
    const slowness = 1 + chance.unit() * (unevenness - 1);
    const link = { chance, leastDelayUs: leastDelayUs * slowness, number: this.#count++, cut: 0, held: null };
    const links = this.#links.get(from);
    if (links === undefined) this.#links.set(from, new Map([[to, link]]));
    else links.set(to, link);
    return link;
  }

  #arriveAfter(delayUs: number, link: Link, to: string, packet: Packet): void {
    const receiver = this.#receivers.get(to);
    if (receiver === undefined) return;
    const arrive = (): void => {
      this.#run.trace.mark("arrived", link.number);
      const envelope = packet instanceof Uint8Array ? this.#decoded(packet) : packet;
      if (envelope !== null) receiver.receive(envelope);
    };
    this.#run.scheduler.after(delayUs, receiver, () => {
      if (link.held === null) arrive();
      else link.held.push(() => void this.#run.scheduler.soon(receiver, arrive));
    });
  }

  /** Decodes a message; a lie may be so wrong that the codec refuses it. */
  #decoded(bytes: Uint8Array): Envelope | null {
    try {
      return decodeEnvelope(bytes);
    } catch (error) {
      if (!(error instanceof RaftError && error.code === "invalid_argument")) throw error;
      this.#run.trace.count("message malformed");
      return null;
    }
  }

  /**
   * Decodes a message with a flipped bit. TCP's and TLS's checksums would drop it, so
   * it is not delivered; but the codec must read it or refuse it, and do nothing else.
   */
  #arriveDamaged(bytes: Uint8Array, chance: Stream): void {
    const damaged = bytes.slice();
    damaged[chance.below(bytes.length)]! ^= 1 << chance.below(8);
    try {
      decodeEnvelope(damaged);
    } catch (error) {
      if (error instanceof RaftError && error.code === "invalid_argument") return;
      this.#run.report("bad messages are refused", `the codec fails on a damaged message: ${error}`);
    }
  }
}

function isSound({ cut, held }: Link): boolean {
  return cut === 0 && held === null;
}
