/**
 * A client that watches changes by server-sent events, resumes after each break, and checks that it misses none.
 *
 * @module
 */

import type { Stream } from "../../../simulation/decisions.ts";
import type { ByteNetwork } from "./byte_network.ts";
import { addressOf } from "./server_node.ts";
import type { ServerPlan } from "./server_node.ts";
import type { World } from "./world.ts";

/** The changes that any watcher of a run has seen, by version. */
export type Seen = Map<number, string>;

/** A part of the keys, as REST answers. */
interface List {
  readonly entries: readonly { readonly key: string }[];
  readonly revision: number;
}

/** Versions without a gap: all changes after `from`, up to `to`, were seen. */
interface Span {
  readonly from: number;
  to: number;
  readonly versions: Set<number>;
}

export class Watcher {
  readonly name: string;
  readonly spans: Span[] = [];
  readonly #world: World;
  readonly #plan: ServerPlan;
  readonly #seen: Seen;
  readonly #chance: Stream;
  readonly #fetch: ReturnType<ByteNetwork["fetch"]>;
  /** Set once changes were missed that no node keeps. */
  #gap = false;
  #ending = new AbortController();

  constructor(world: World, network: ByteNetwork, plan: ServerPlan, seen: Seen, name: string) {
    this.#world = world;
    this.#plan = plan;
    this.#seen = seen;
    this.name = name;
    this.#chance = world.run.decisions.stream(`watcher ${name}`);
    this.#fetch = network.fetch(`http://${name}.client`);
  }

  /** The last version that it has seen. */
  get last(): number {
    return this.spans.at(-1)?.to ?? 0;
  }

  /** Watches until `goesOn` no longer holds, at one node after the other. */
  async live(goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      await this.#world.sleepMs(this.#chance.next().between(5, 200));
      if (this.spans.length === 0) this.spans.push({ from: 0, to: 0, versions: new Set() });
      const stays = this.#chance.chance(0.3) ? this.#chance.between(100, 2000) : 10_000;
      this.#ending = new AbortController();
      const leave = this.#world.run.scheduler.after(stays * 1000, null, () => this.leave());
      const id = `n${this.#chance.between(1, this.#plan.nodes)}`;
      await (this.#gap ? this.#startOver(id) : this.#watch(id)).catch((error) => {
        if (error instanceof SyntaxError) throw error;
        // The network failed.
      });
      leave();
    }
  }

  /** Ends the present connection. */
  leave(): void {
    this.#ending.abort(new DOMException("enough", "AbortError"));
  }

  async #watch(id: string): Promise<void> {
    const { to } = this.spans.at(-1)!;
    // Resumes as an EventSource does, or by the parameter.
    const resume = to > 0 && this.#chance.chance(0.6);
    // A page that reconnects asks with the address that it began with, and the id counts.
    const from = resume ? this.#chance.pick(["", "&from=1"])! : `&from=${to + 1}`;
    const url = `${addressOf(id)}/kv?watch${from}`;
    const headers: { [name: string]: string } = resume ? { "last-event-id": String(to) } : {};
    const response = await this.#fetch(url, { headers, signal: this.#ending.signal });
    if (response.status !== 200) return this.#problem(JSON.parse(await response.text()));
    await this.#read(response.body!);
  }

  async #read(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    const decoder = new TextDecoder();
    const reader = body.getReader();
    let text = "";
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        text += decoder.decode(value, { stream: true });
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          this.#event(text.slice(0, end));
          text = text.slice(end + 2);
        }
      }
    } finally {
      void reader.cancel().catch(() => {});
    }
  }

  #event(text: string): void {
    const fields = new Map(
      text.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
    );
    const type = fields.get("event");
    if (type === undefined) return;
    if (type === "problem") return this.#problem(JSON.parse(fields.get("data")!));
    const version = Number(fields.get("id"));
    const span = this.spans.at(-1)!;
    const data = JSON.parse(fields.get("data")!) as { readonly version: number };
    this.#world.require(version > span.to, () => `${this.name} sees ${version} after ${span.to}`);
    this.#world.require(
      data.version === version,
      () => `${this.name} sees ${version} with the data of ${data.version}`,
    );
    const change = `${type} ${fields.get("data")}`;
    const known = this.#seen.get(version) ?? change;
    this.#world.require(known === change, () => `${this.name} sees ${change}, another saw ${known}`);
    this.#seen.set(version, change);
    span.versions.add(version);
    span.to = version;
    this.#world.run.trace.mark("arrived", version);
    this.#world.run.trace.count("change watched");
  }

  /** Goes on; after a gap of the server's history, from the present state. */
  #problem({ code }: { readonly code: string }): void {
    this.#world.run.trace.count(`watch ended: ${code}`);
    if (code === "compacted") this.#gap = true;
  }

  /** Begins a new span after a gap of the server's history: from the state that a list shows. */
  async #startOver(id: string): Promise<void> {
    const options = { signal: AbortSignal.timeout(3000) };
    const response = await this.#fetch(`${addressOf(id)}/kv?limit=2`, options).catch(() => null);
    if (response?.status !== 200) return;
    const { revision: from, entries } = JSON.parse(await response.text()) as List;
    const sorted = entries.length <= 2 && entries.every(({ key }, at) => at === 0 || entries[at - 1]!.key < key);
    this.#world.require(sorted, () => `${this.name} received a list of ${entries.map(({ key }) => key)}`);
    this.spans.push({ from, to: from, versions: new Set() });
    this.#gap = false;
  }

  /** Checks that no span lacks a change. */
  check(versions: Iterable<number>): void {
    for (const version of versions) {
      const span = this.spans.find(({ from, to }) => version > from && version <= to);
      const missed = span !== undefined && !span.versions.has(version);
      this.#world.require(!missed, () => `${this.name} has missed the change ${version}`);
    }
  }
}
