/**
 * One run: a cluster under inputs with clients beside it, and the checks at its end.
 *
 * @module
 */

import { Clients, connect, readAll } from "../chaos/clients.ts";
import type { Verdict } from "../chaos/verdict.ts";
import { judge } from "../chaos/verdict.ts";
import { compareCopies } from "../support/copies.ts";
import { raftCommand } from "../support/raft_command.ts";
import type { Nodes } from "../support/server_processes.ts";
import { eventually } from "../support/server_processes.ts";
import { seededRandom } from "../support/virtual_host.ts";
import { Fuzzer } from "./fuzzer.ts";
import { Guard } from "./guard.ts";
import type { Options } from "./options.ts";
import { pause } from "./raw_socket.ts";
import { World } from "./world.ts";

/** The results of a run. */
export interface Results {
  readonly fuzzer: Fuzzer;
  readonly clients: Clients;
  readonly guard: Guard;
  /** The verdicts over what clients were told: after the inputs, and after a restart of all nodes. */
  readonly verdicts: readonly Verdict[];
  readonly problems: readonly string[];
}

/** The time limit for the cluster to be as it was, once there are no more inputs. */
const RECOVERY_MS = 60_000;
/** Enough for a node that closes in order, on a busy machine. */
const CLOSE_MS = 30_000;
const CLIENTS = 1;

/** A run, which its signal ends early. */
export class Trial {
  readonly #nodes: Nodes;
  readonly #options: Options;
  readonly #world: World;
  readonly #problems: string[] = [];
  readonly #ended = new AbortController();
  readonly #endpointOf: (address: string) => string | null;
  readonly clients: Clients;
  readonly fuzzer: Fuzzer;
  readonly guard: Guard;

  constructor(nodes: Nodes, options: Options) {
    this.#nodes = nodes;
    this.#options = options;
    const world = this.#world = new World(nodes.all);
    this.#endpointOf = (address) => {
      return nodes.endpoints.find((endpoint) => new URL(endpoint).host === address.replace(/^http:\/\//, "")) ?? null;
    };
    const clients = this.clients = new Clients({
      endpoints: nodes.endpoints,
      endpointOf: this.#endpointOf,
      random: seededRandom(options.seed + 1),
      clients: CLIENTS,
    });
    const problem = (what: string): void => this.#problem(what);
    this.fuzzer = new Fuzzer({
      world,
      seed: options.seed,
      window: options.only ?? [0, Infinity],
      acknowledged: () => clients.acknowledged,
      problem,
    });
    const { maxMib, stallMs } = options;
    const clientGapMs = () => clients.currentGapMs;
    this.guard = new Guard({ nodes: nodes.all, world, maxMib, stallMs, clientGapMs, problem });
  }

  /** Runs until the time is over, or something is wrong. @param signal ends it early, without the checks at its end */
  async run(signal: AbortSignal): Promise<Results> {
    const { minutes, only } = this.#options;
    const timer = only === null ? setTimeout(() => this.#ended.abort(), minutes * 60_000) : undefined;
    const guarding = new AbortController();
    const stop = (): void => this.#ended.abort();
    signal.addEventListener("abort", stop);
    await this.#world.look(5000);
    const guard = this.guard.run(guarding.signal);
    await this.fuzzer.run(this.#ended.signal);
    clearTimeout(timer);
    // Work that the last inputs have begun goes on for a moment.
    if (only !== null && !signal.aborted) await pause(3000);
    const verdicts: Verdict[] = [];
    // The evidence of a problem is not touched.
    const then = async (what: string, work: () => Promise<void>): Promise<void> => {
      if (!signal.aborted && this.#problems.length === 0) await this.#attempt(what, work);
    };
    await then("the cluster is not as it was", () => this.#recovered());
    await this.clients.stop();
    await then("the end", async () => void verdicts.push(await this.#check()));
    guarding.abort();
    await guard;
    if (!signal.aborted) this.guard.check();
    await then("after a restart", async () => {
      await this.#restart();
      verdicts.push(await this.#check());
    });
    signal.removeEventListener("abort", stop);
    const { fuzzer, clients } = this;
    for (const failure of clients.failures) this.#problems.push(`a client failed: ${failure}`);
    return { fuzzer, clients, guard: this.guard, verdicts, problems: this.#problems };
  }

  #problem(what: string): void {
    this.#problems.push(what);
    this.#ended.abort();
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#problem(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Waits until one leads, all follow it, and clients are served. */
  async #recovered(): Promise<void> {
    const goal = this.clients.acknowledged + 20;
    await eventually("a leader that all follow, and clients that are served", () => {
      const views = this.#nodes.all.map(({ id }) => this.#world.view(id));
      const leaders = new Set(views.map((view) => view?.leader?.id));
      return leaders.size === 1 && !leaders.has(undefined) && this.clients.acknowledged >= goal;
    }, RECOVERY_MS);
  }

  /** Compares the nodes with each other, and with what clients were told. */
  async #check(): Promise<Verdict> {
    await eventually("all nodes having applied the same", async () => {
      await this.#world.look(5000);
      const views = this.#nodes.all.map(({ id }) => this.#world.view(id)!);
      return views.every(({ appliedIndex, commitIndex, lastIndex }) => {
        return appliedIndex === commitIndex && lastIndex === commitIndex && commitIndex === views[0]!.commitIndex;
      });
    }, RECOVERY_MS);
    await compareCopies(this.#nodes.all);
    const { endpoints } = this.#nodes;
    const endpointOf = this.#endpointOf;
    await using reader = connect({ endpoints, endpointOf }, { timeoutMs: 60_000, attemptTimeoutMs: 5000 });
    const call = performance.now();
    const held = await readAll(reader);
    // Inputs write, too, under other keys.
    const own = new Map([...held].filter(([key]) => /^(unique|shared)\//.test(key)));
    const { history, unique } = this.clients;
    const verdict = judge(history, unique, own, [call, performance.now()]);
    for (const what of [...verdict.lost, ...verdict.wrong].slice(0, 10)) this.#problem(what);
    const { linearizability } = verdict;
    if (linearizability.verdict !== "linearizable") {
      this.#problem(`the history of ${linearizability.part} is ${linearizability.verdict}`);
    }
    return verdict;
  }

  /** Closes all nodes in order, checks their folders, and starts them again. */
  async #restart(): Promise<void> {
    await Promise.all(this.#nodes.all.map(async (node) => {
      const late = pause(CLOSE_MS).then(() => "late" as const);
      const code = await Promise.race([node.end("SIGTERM"), late]);
      if (code !== 0) throw new Error(`${node.id} closed with ${code === "late" ? "nothing in time" : code}`);
    }));
    for (const { data } of this.#nodes.all) await raftCommand(this.#nodes, ["log", "verify", data]);
    for (const node of this.#nodes.all) this.#nodes.start(node);
    await this.#nodes.leader();
  }
}
