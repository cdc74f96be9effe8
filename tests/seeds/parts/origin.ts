/**
 * The tabs of one origin in virtual time: BroadcastChannels, whose messages arrive late but in order, and Web Locks,
 * which are free a moment after the end of their holder. A tab may be frozen, when all that arrives waits.
 *
 * @module
 */

import type { Stream } from "../../../simulation/decisions.ts";
import type { Process } from "../../../simulation/machine/process.ts";
import type { Locks } from "../../../transport/packet/locks.ts";
import type { World } from "./world.ts";

/** The longest time from the end of a tab to the moment at which its locks are free. */
export const LOCKS_FREE_MS = 30;

/** One life of a tab. */
export interface Tab {
  readonly address: string;
  readonly process: Process;
}

type LockOptions = Parameters<Locks["request"]>[1];

/** A request for a lock that waits, or holds it. */
interface LockRequest {
  readonly tab: Tab;
  readonly shared: boolean;
  readonly grant: () => void;
}

interface Lock {
  readonly holders: Set<LockRequest>;
  readonly waiting: LockRequest[];
}

/** A BroadcastChannel. Its owner is known from what it posts first: a frame with its address. */
class Channel {
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  readonly name: string;
  readonly #origin: Origin;
  owner: Tab | null = null;
  closed = false;
  /** The time of the last arrival at each other channel. */
  readonly lastUs = new Map<Channel, number>();

  constructor(origin: Origin, name: string) {
    this.#origin = origin;
    this.name = name;
    origin.channels.add(this);
  }

  postMessage(data: unknown): void {
    if (this.closed) throw new DOMException("the channel is closed", "InvalidStateError");
    this.owner ??= this.#origin.tabAt((data as { readonly from: string }).from);
    this.#origin.carry(this, data);
  }

  close(): void {
    this.closed = true;
    this.#origin.channels.delete(this);
  }
}

export class Origin {
  readonly channels = new Set<Channel>();
  readonly #world: World;
  readonly #tabs = new Map<string, Tab>();
  readonly #locks = new Map<string, Lock>();
  readonly #chance: Stream;
  readonly #spreadMs: number;

  /** @param spreadMs the longest time that a message travels */
  constructor(world: World, spreadMs: number) {
    this.#world = world;
    this.#spreadMs = spreadMs;
    this.#chance = world.run.decisions.stream("origin");
  }

  /** Puts its channels in the place of the runtime's; returns a function that puts those back. */
  install(): () => void {
    const before = globalThis.BroadcastChannel;
    // deno-lint-ignore no-this-alias -- the class needs the origin and its own `this`
    const origin = this;
    const simulated = class extends Channel {
      constructor(name: string) {
        super(origin, name);
      }
    };
    globalThis.BroadcastChannel = simulated as unknown as typeof BroadcastChannel;
    return () => void (globalThis.BroadcastChannel = before);
  }

  /** The tab that was the last to get its address for itself. */
  tabAt(address: string): Tab | null {
    return this.#tabs.get(address) ?? null;
  }

  settle(tab: Tab): void {
    this.#tabs.set(tab.address, tab);
  }

  /** Carries a message to all other channels of that name. */
  carry(from: Channel, data: unknown): void {
    if (from.owner === null || !from.owner.process.alive) return;
    const { scheduler } = this.#world.run;
    for (const to of this.channels) {
      if (to === from || to.name !== from.name) continue;
      const copy = structuredClone(data);
      const travelUs = 100 + this.#chance.next().unit() * this.#spreadMs * 1000;
      const atUs = Math.max(scheduler.nowUs + travelUs, from.lastUs.get(to) ?? 0);
      from.lastUs.set(to, atUs);
      scheduler.at(atUs, null, () => to.owner?.process.receive(() => to.closed || to.onmessage?.({ data: copy })));
    }
  }

  /** Ends what a tab that has died had: its channels at once, its locks soon. */
  end(tab: Tab): void {
    for (const channel of [...this.channels]) if (channel.owner === tab) channel.close();
    void this.#world.sleepMs(this.#chance.next().unit() * LOCKS_FREE_MS).then(() => {
      for (const [name, { holders, waiting }] of this.#locks) {
        for (const request of [...holders]) if (request.tab === tab) holders.delete(request);
        for (const request of [...waiting]) if (request.tab === tab) waiting.splice(waiting.indexOf(request), 1);
        this.#grant(name);
      }
    });
  }

  /** Returns what a tab has, or waits for; `null` if that is nothing. */
  leftOf(tab: Tab): string | null {
    const requests = [...this.#locks.values()].flatMap(({ holders, waiting }) => [...holders, ...waiting]);
    const channels = [...this.channels].filter(({ owner }) => owner === tab).length;
    const locks = requests.filter((request) => request.tab === tab).length;
    return channels + locks === 0 ? null : `${channels} channels and ${locks} locks`;
  }

  /** The locks as one tab has them. */
  locksOf(tab: Tab): Locks {
    return { request: (name, options, held) => this.#request(tab, name, options, held) };
  }

  #request(
    tab: Tab,
    name: string,
    { mode, signal }: LockOptions,
    held: (lock: unknown) => Promise<void> | void,
  ): Promise<unknown> {
    const lock = this.#locks.get(name) ?? { holders: new Set(), waiting: [] };
    this.#locks.set(name, lock);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const request: LockRequest = {
      tab,
      shared: mode === "shared",
      grant: () =>
        tab.process.receive(async () => {
          const value = await held({ name });
          lock.holders.delete(request);
          resolve(value);
          this.#grant(name);
        }),
    };
    const onAbort = (): void => {
      const at = lock.waiting.indexOf(request);
      if (at < 0) return;
      lock.waiting.splice(at, 1);
      reject(new DOMException("the request was aborted", "AbortError"));
    };
    lock.waiting.push(request);
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted === true) onAbort();
    this.#grant(name);
    return promise;
  }

  /** Gives a lock to those that wait for it longest, as far as they may have it together. */
  #grant(name: string): void {
    const { holders, waiting } = this.#locks.get(name)!;
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const fits = holders.size === 0 || (next.shared && [...holders].every(({ shared }) => shared));
      if (!fits) return;
      waiting.shift();
      holders.add(next);
      const { grant } = next;
      this.#world.run.scheduler.after(200, null, grant);
    }
  }
}
