/**
 * The check of liveness: once a quorum is healthy and connected, within bounded time
 * it has a leader, executes requests, and all of its nodes have the whole log, no
 * matter what is wrong with the others.
 */

import type { Stream } from "./decisions.ts";
import { isMember } from "./faults/cluster.ts";
import type { NemesisOptions } from "./faults/nemesis.ts";
import type { Machine } from "./machine/machine.ts";

/** The bound, in virtual time. */
const BOUND_MS = 60_000;
/** The time between two checks of the condition. */
const SLICE_MS = 50;
const REQUESTS = 5;

export interface RecoveryOptions extends NemesisOptions {
  readonly maxSteps: number;
}

/** The recovery at the end of a run, after the faults have stopped. */
export class Recovery {
  readonly #options: RecoveryOptions;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Heals a quorum, makes every other fault permanent, and waits for the cluster. */
  async recover(): Promise<void> {
    const { run, clients } = this.#options;
    const quorum = this.#choose(run.decisions.stream("recovery"));
    if (quorum === null) return await this.#endRequests();
    run.trace.describe("world", `heals ${[...quorum].map(({ name }) => name).join(" ")}; other faults stay`);
    for (const machine of this.#options.cluster.all) {
      if (quorum.has(machine)) this.#heal(machine);
      else this.#abandon(machine, run.decisions.stream("recovery"));
    }
    const before = clients.done;
    const progress = (): boolean => this.#leader(quorum) !== null && clients.done >= before + REQUESTS;
    if (!await this.#until(progress, "a leader that carries out requests")) return;
    await this.#endRequests();
    await this.#until(() => this.#converged(quorum), "the same state on every healthy node");
  }

  /** Waits for the end of every request, even if the cluster has failed. */
  async #endRequests(): Promise<void> {
    let ended = false;
    this.#options.clients.stop().then(() => ended = true);
    await this.#until(() => ended, "an end of every request");
  }

  /** Chooses machines that are a quorum of every membership that may be in force; `null` before there is one. */
  #choose(chance: Stream): Set<Machine> | null {
    const { cluster, run, plan } = this.#options;
    const chosen = new Set(cluster.all.filter(({ lost, damaged }) => !lost && !damaged));
    // Before anything was written, all are needed.
    if (cluster.memberships.length > 0 && !cluster.areQuorum(chosen)) {
      if (plan.rotsBeyondQuorum) {
        run.trace.count("no quorum left");
        return null;
      }
      run.report("liveness", "the remaining disks are not a quorum: there were too many faults, or data was lost");
      return null;
    }
    if (chance.next().chance(0.5)) return chosen;
    for (const machine of chance.shuffled([...chosen])) {
      chosen.delete(machine);
      if (!cluster.areQuorum(chosen)) chosen.add(machine);
    }
    return chosen;
  }

  #heal(machine: Machine): void {
    machine.disk.heal();
    machine.process?.unlight();
    if (machine.disk.hangs) machine.crash(null, "its disk hangs");
    machine.start();
  }

  #abandon(machine: Machine, chance: Stream): void {
    const { run, cluster, network } = this.#options;
    machine.down = true;
    const fate = chance.next().pick(["dead", "still", "cut off", "deaf"] as const);
    run.trace.describe(machine.name, `is ${fate} permanently`);
    if (fate === "dead") return machine.crash("random", "for good");
    if (fate === "still") machine.process?.freeze();
    for (const { name } of cluster.all) {
      if (name === machine.name) continue;
      network.cut(name, machine.name);
      // A deaf node can still send: it must not disturb the others (dissertation §4.2.3).
      if (fate !== "deaf") network.cut(machine.name, name);
    }
  }

  #leader(quorum: ReadonlySet<Machine>): Machine | null {
    const { leader } = this.#options.cluster;
    return leader !== undefined && quorum.has(leader) ? leader : null;
  }

  #converged(quorum: ReadonlySet<Machine>): boolean {
    const leader = this.#leader(quorum)?.node?.inspect();
    if (leader === undefined) return false;
    return [...quorum].every((machine) => {
      if (!isMember(leader.membership, machine)) return true;
      const view = machine.node?.inspect();
      return view !== undefined && view.appliedIndex === leader.lastIndex && view.lastIndex === leader.lastIndex;
    });
  }

  async #until(condition: () => boolean, what: string): Promise<boolean> {
    const { run, maxSteps } = this.#options;
    const { scheduler } = run;
    const endUs = scheduler.nowUs + BOUND_MS * 1000;
    while (!condition()) {
      if (scheduler.stopped || scheduler.steps >= maxSteps) return false;
      if (scheduler.nowUs >= endUs) {
        run.report("liveness", `not within ${BOUND_MS} virtual ms after a quorum was healthy: ${what}`);
        return false;
      }
      await scheduler.run(scheduler.nowUs + SLICE_MS * 1000, maxSteps);
    }
    return true;
  }
}
