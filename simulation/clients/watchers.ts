/**
 * Clients that watch changes: each through a stream from some node, which breaks with
 * the process, the link, or at random, and is resumed at another node.
 */

import type { Coordinator } from "../../lib/client/mod.ts";
import { RaftError } from "../../lib/errors.ts";
import { KeyValueClient } from "../../lib/kv/client.ts";
import type { WatchSource } from "../../lib/kv/client.ts";
import { KeyValue } from "../../lib/kv/key_value.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import type { Host } from "../../lib/clock.ts";
import type { Watched } from "../checks/watch_checks.ts";
import type { Stream } from "../decisions.ts";
import type { Machine } from "../machine/machine.ts";
import type { Process } from "../machine/process.ts";
import type { CallPath } from "./call_network.ts";

/** The probability that a stream breaks after a change. */
const BREAKS = 0.02;
/** The largest number of changes on their way to one watcher. */
const WINDOW = 4;
/** The time after which a client notices that a stream is dead. */
const SILENCE_US = 400_000;

/** The parts of a client that a watcher needs. */
export interface WatchingClient {
  readonly coordinator: Coordinator;
  readonly host: Host;
}

export class Watchers {
  readonly #path: CallPath;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>[] = [];
  /** Returns the machines that clients watch at. */
  #sources: () => readonly Machine[];
  /** All watches, also those that have ended. */
  readonly watches: Watched[] = [];
  /** The number of changes that each client has received. */
  readonly received = new Map<string, number>();

  constructor(path: CallPath) {
    this.#path = path;
    this.#sources = () => [...path.machines.values()];
  }

  /** Lets clients watch at these machines alone from now on; at any while there are none. */
  restrict(sources: () => readonly Machine[]): void {
    const all = this.#sources;
    this.#sources = () => {
      const some = sources();
      return some.length > 0 ? some : all();
    };
  }

  /** Makes a client watch, again and again. */
  start(name: string, client: WatchingClient): void {
    this.received.set(name, 0);
    this.#running.push(this.#watch(name, client));
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the run ends"));
    await Promise.all(this.#running);
  }

  async #watch(name: string, { coordinator, host }: WatchingClient): Promise<void> {
    const { run } = this.#path;
    const chance = run.decisions.stream(`watch ${name}`);
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      chance.next();
      const prefix = chance.pick(["", "k", "k0"])!;
      const fromRevision = chance.chance(0.3) ? 1 + chance.below(50) : undefined;
      const watched: Watched = { client: name, prefix, from: fromRevision ?? null, changes: [] };
      this.watches.push(watched);
      const client = new KeyValueClient(coordinator, { watchSource: this.#source(name, watched), host });
      const from = fromRevision === undefined ? {} : { fromRevision };
      try {
        for await (const change of client.watch({ prefix, signal, ...from })) {
          run.trace.count("watched change");
          watched.changes.push(change);
          this.received.set(name, this.received.get(name)! + 1);
        }
      } catch (error) {
        if (!(error instanceof RaftError)) throw error;
        run.trace.count(`watch: ${error.code}`);
        if (error.code === "internal") run.report("no unexplained stop", `${name} received: ${error.message}`);
      }
      if (!signal.aborted) await run.scheduler.sleep(1000 * chance.between(1, 500));
    }
  }

  /** Returns the nodes as a source of changes: each stream comes from another one. */
  #source(name: string, watched: Watched): WatchSource {
    const { run } = this.#path;
    const chance = run.decisions.stream(`watch ${name} source`);
    return {
      watch: (prefix, from, { signal }) => {
        watched.from ??= from;
        run.trace.count("watch stream");
        const machine = chance.next().pick(this.#sources())!;
        return new ChangeStream(this.#path, name, machine, chance.next()).open(prefix, from, signal);
      },
    };
  }
}

/** One stream of changes from a node to a client, in order. */
class ChangeStream {
  readonly #path: CallPath;
  readonly #client: string;
  readonly #machine: Machine;
  readonly #process: Process | null;
  readonly #chance: Stream;
  /** Items that have arrived, and the reader that waits for one. */
  readonly #arrived: (KeyValueChange | RaftError)[] = [];
  #wake: () => void = () => {};
  #onTheirWay = 0;
  /** Set once a change was lost, after which none arrives. */
  #broken = false;
  #lastArrivalUs = 0;

  constructor(path: CallPath, client: string, machine: Machine, chance: Stream) {
    this.#path = path;
    this.#client = client;
    this.#machine = machine;
    this.#process = machine.process;
    this.#chance = chance;
  }

  /** Yields the changes that arrive, until the stream breaks. */
  async *open(prefix: Uint8Array, from: number, signal: AbortSignal | undefined): AsyncGenerator<KeyValueChange> {
    const { run: { scheduler } } = this.#path;
    const controller = new AbortController();
    const onAbort = (): void => this.#wake();
    signal?.addEventListener("abort", onAbort);
    // Also one that goes on may be of no use: a node that is cut off from the others has no changes.
    const endUs = scheduler.nowUs + 1000 * this.#chance.between(500, 4000);
    const silence = (): void => {
      if (controller.signal.aborted) return;
      const isOver = scheduler.nowUs >= endUs;
      if (isOver || this.#broken || !this.#isConnected) {
        this.#arrive(new RaftError("unreachable", "the stream has broken"));
      } else scheduler.after(SILENCE_US, null, silence);
    };
    scheduler.after(SILENCE_US, null, silence);
    this.#serve(prefix, from, controller.signal);
    try {
      while (!signal?.aborted) {
        const item = this.#arrived.shift();
        if (item === undefined) await new Promise<void>((resolve) => this.#wake = resolve);
        else if (item instanceof RaftError) throw item;
        else yield item;
      }
    } finally {
      controller.abort(new Error("the client has left"));
      signal?.removeEventListener("abort", onAbort);
    }
  }

  get #isConnected(): boolean {
    const { network } = this.#path;
    const { process, name } = this.#machine;
    return process !== null && process === this.#process && network.reaches(name, this.#client) &&
      network.reaches(this.#client, name);
  }

  /** Reads the node's changes, a few ahead of the client, and sends them. */
  async #serve(prefix: Uint8Array, from: number, signal: AbortSignal): Promise<void> {
    const { application, node } = this.#machine;
    if (!this.#isConnected || node === null || !(application instanceof KeyValue)) return;
    const iterator = application.watch(prefix, from, { signal });
    try {
      for (;;) {
        const { value, done } = await iterator.next();
        if (done) return;
        // A dead process sends nothing more, and a paused one later.
        await new Promise<void>((resolve) => this.#process!.wake(resolve));
        this.#send(value);
        while (this.#onTheirWay >= WINDOW && !signal.aborted) await this.#path.run.scheduler.sleep(1000);
      }
    } catch (error) {
      if (error instanceof RaftError) this.#send(error);
      else throw error;
    }
  }

  #send(item: KeyValueChange | RaftError): void {
    const { network, run: { scheduler } } = this.#path;
    const delayUs = network.delayUs(this.#machine.name, this.#client, this.#chance.next());
    const breaks = this.#chance.chance(BREAKS);
    this.#lastArrivalUs = Math.max(this.#lastArrivalUs, scheduler.nowUs + delayUs);
    this.#onTheirWay++;
    scheduler.at(this.#lastArrivalUs, null, () => {
      this.#onTheirWay--;
      this.#broken ||= !this.#isConnected;
      if (this.#broken) return;
      this.#arrive(breaks ? new RaftError("unreachable", "the stream was reset") : item);
    });
  }

  #arrive(item: KeyValueChange | RaftError): void {
    this.#arrived.push(item);
    this.#wake();
  }
}
