/**
 * A network in memory, for clusters within one program: tests, simulations,
 * several nodes in one tab. It can lose, repeat, delay and reorder messages and
 * be partitioned, and with a seeded Host each run is the same.
 */

import type { Host } from "../lib/clock.ts";
import { RaftError } from "../lib/errors.ts";
import { systemHost } from "../lib/host.ts";
import type { Envelope, Receive, Transport } from "../lib/transport.ts";

/** The faults of a {@linkcode MemoryNetwork}. Chances are between 0 and 1, times in milliseconds. */
export interface NetworkFaults {
  /** The chance that a message is lost. @default 0 */
  readonly loss: number;
  /** The chance that a message arrives twice. @default 0 */
  readonly duplication: number;
  /** The shortest delay of a message. @default 0 */
  readonly minDelayMs: number;
  /** The longest delay of a message; messages overtake each other where this is more than the shortest. @default 0 */
  readonly maxDelayMs: number;
  /** The chance that a message is late by up to `lateByMs` more. @default 0 */
  readonly reordering: number;
  /** See `reordering`. @default 100 */
  readonly lateByMs: number;
}

/** Options of a {@linkcode MemoryNetwork}. */
export interface MemoryNetworkOptions extends Partial<NetworkFaults> {
  /** Delays and chances come from here. @default systemHost() */
  readonly host?: Host;
  /** At most this many messages are on their way from one address to another; further ones are dropped. @default 4096 */
  readonly maxInflightMessages?: number;
  /**
   * Transforms each message on its way, such as by a codec and back. A message for which it throws is dropped, as a
   * damaged one would be. Without it the receiver gets the sender's own object.
   */
  readonly carry?: (envelope: Envelope) => Envelope;
}

/** The fates of the messages handed to a {@linkcode MemoryNetwork}; a repeated one counts as two. */
export interface NetworkCounts {
  /** Handed in by transports. */
  readonly sent: number;
  /** Arrived. */
  readonly delivered: number;
  /** Lost by chance, or for lack of a way, a receiver or room. */
  readonly dropped: number;
  /** On their way. */
  readonly inFlight: number;
}

const NO_FAULTS: NetworkFaults = {
  loss: 0,
  duplication: 0,
  minDelayMs: 0,
  maxDelayMs: 0,
  reordering: 0,
  lateByMs: 100,
};

/**
 * Joins the {@linkcode MemoryTransport}s made from it.
 *
 * @example
 * ```ts
 * import { MemoryNetwork } from "./mod.ts";
 *
 * const network = new MemoryNetwork({ maxDelayMs: 10, loss: 0.01 });
 * export const transport = network.transport("n1");
 * network.isolate("n1");
 * network.heal();
 * ```
 */
export class MemoryNetwork {
  readonly #host: Host;
  readonly #maxInflightMessages: number;
  readonly #carry: (envelope: Envelope) => Envelope;
  readonly #open = new Map<string, MemoryTransport>();
  /** Ways that are cut, as "from to". */
  readonly #cut = new Set<string>();
  readonly #isolated = new Set<string>();
  #groups = new Map<string, number>();
  readonly #inFlight = new Map<string, number>();
  #faults: NetworkFaults;
  readonly #counts = { sent: 0, delivered: 0, dropped: 0 };

  /** Creates a network without transports. */
  constructor(options: MemoryNetworkOptions = {}) {
    const { host, maxInflightMessages, carry, ...faults } = options;
    this.#host = host ?? systemHost();
    this.#maxInflightMessages = maxInflightMessages ?? 4096;
    this.#carry = carry ?? ((envelope) => envelope);
    this.#faults = checkedFaults({ ...NO_FAULTS, ...faults });
  }

  /** Creates a transport at `address`. It is reachable from its `start` until its `close`. */
  transport(address: string): MemoryTransport {
    return new MemoryTransport(this, address);
  }

  /** The counts so far. */
  get counts(): NetworkCounts {
    let inFlight = 0;
    for (const count of this.#inFlight.values()) inFlight += count;
    return { ...this.#counts, inFlight };
  }

  /** Changes some of the faults from now on; what is on its way keeps its delay. */
  setFaults(faults: Partial<NetworkFaults>): void {
    this.#faults = checkedFaults({ ...this.#faults, ...faults });
  }

  /** Lets messages pass within each group only; an address in no group reaches none. Replaces an earlier partition. */
  partition(...groups: readonly (readonly string[])[]): void {
    this.#groups = new Map(groups.flatMap((group, number) => group.map((address) => [address, number] as const)));
  }

  /** Cuts one direction: messages from `from` don't reach `to`. The other direction stays. */
  block(from: string, to: string): void {
    this.#cut.add(way(from, to));
  }

  /** Undoes a {@linkcode MemoryNetwork.block}. */
  unblock(from: string, to: string): void {
    this.#cut.delete(way(from, to));
  }

  /** Cuts `address` off from everyone, both ways. */
  isolate(address: string): void {
    this.#isolated.add(address);
  }

  /** Ends every partition, block and isolation; loss and delays stay. */
  heal(): void {
    this.#groups.clear();
    this.#cut.clear();
    this.#isolated.clear();
  }

  /** Reports whether a message from one address would reach another now. */
  reaches(from: string, to: string): boolean {
    if (this.#cut.has(way(from, to)) || this.#isolated.has(from) || this.#isolated.has(to)) return false;
    if (this.#groups.size === 0 || from === to) return true;
    const group = this.#groups.get(from);
    return group !== undefined && group === this.#groups.get(to);
  }

  /** For {@linkcode MemoryTransport}. @throws {RaftError} `refused` if another transport is open at the address */
  attach(transport: MemoryTransport): void {
    if (this.#open.has(transport.address)) {
      throw new RaftError("refused", `another transport is open at ${transport.address}`, {
        hint: "Close that one first, or choose another address.",
      });
    }
    this.#open.set(transport.address, transport);
  }

  /** For {@linkcode MemoryTransport}. */
  detach(transport: MemoryTransport): void {
    if (this.#open.get(transport.address) === transport) this.#open.delete(transport.address);
  }

  /** For {@linkcode MemoryTransport}. Chances are drawn whatever the state of the network, so that a run stays alike. */
  pass(from: string, to: string, envelope: Envelope): void {
    const { loss, duplication } = this.#faults;
    const lost = this.#chance(loss);
    const copies = this.#chance(duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      this.#counts.sent++;
      const delayMs = this.#delayMs();
      const underWay = this.#inFlight.get(way(from, to)) ?? 0;
      if (lost || underWay >= this.#maxInflightMessages || !this.reaches(from, to)) {
        this.#counts.dropped++;
        continue;
      }
      this.#inFlight.set(way(from, to), underWay + 1);
      const arrive = (): void => this.#arrive(from, to, envelope);
      if (delayMs === 0) this.#host.enqueue(arrive);
      else this.#host.clock.setTimer(delayMs, arrive);
    }
  }

  #arrive(from: string, to: string, envelope: Envelope): void {
    const underWay = this.#inFlight.get(way(from, to))! - 1;
    if (underWay === 0) this.#inFlight.delete(way(from, to));
    else this.#inFlight.set(way(from, to), underWay);
    const receiver = this.#open.get(to);
    const carried = receiver === undefined || !this.reaches(from, to) ? undefined : this.#carried(envelope);
    if (receiver === undefined || carried === undefined) {
      this.#counts.dropped++;
      return;
    }
    this.#counts.delivered++;
    receiver.deliver(carried);
  }

  #carried(envelope: Envelope): Envelope | undefined {
    try {
      return this.#carry(envelope);
    } catch {
      return undefined;
    }
  }

  #chance(chance: number): boolean {
    return chance > 0 && this.#host.random() < chance;
  }

  #delayMs(): number {
    const { minDelayMs, maxDelayMs, reordering, lateByMs } = this.#faults;
    let delayMs = minDelayMs;
    if (maxDelayMs > minDelayMs) delayMs += this.#host.random() * (maxDelayMs - minDelayMs);
    if (this.#chance(reordering)) delayMs += this.#host.random() * lateByMs;
    return delayMs;
  }
}

/** One node's place in a {@linkcode MemoryNetwork}. */
export class MemoryTransport implements Transport {
  /** Where others reach it. */
  readonly address: string;
  readonly #network: MemoryNetwork;
  #receive: Receive | undefined;

  /** Use {@linkcode MemoryNetwork.transport}. */
  constructor(network: MemoryNetwork, address: string) {
    this.#network = network;
    this.address = address;
  }

  /** See {@linkcode Transport.start}. @throws {RaftError} `refused` if another transport is open at the address */
  // deno-lint-ignore require-await -- an error is a rejection
  async start(receive: Receive): Promise<void> {
    this.#network.attach(this);
    this.#receive = receive;
  }

  send(address: string, envelope: Envelope): void {
    if (this.#receive !== undefined) this.#network.pass(this.address, address, envelope);
  }

  close(): Promise<void> {
    this.#network.detach(this);
    this.#receive = undefined;
    return Promise.resolve();
  }

  /** For {@linkcode MemoryNetwork}. */
  deliver(envelope: Envelope): void {
    this.#receive?.(envelope);
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function way(from: string, to: string): string {
  return `${from} ${to}`;
}

function checkedFaults(faults: NetworkFaults): NetworkFaults {
  for (const name of ["loss", "duplication", "reordering"] as const) {
    if (!(faults[name] >= 0 && faults[name] <= 1)) {
      throw new RaftError("invalid_argument", `${name} must be between 0 and 1, not ${faults[name]}`);
    }
  }
  if (
    !(faults.minDelayMs >= 0 && faults.minDelayMs + faults.maxDelayMs < Infinity && faults.lateByMs >= 0 &&
      faults.lateByMs < Infinity)
  ) {
    throw new RaftError("invalid_argument", "delays must be finite, and not negative");
  }
  return faults;
}
