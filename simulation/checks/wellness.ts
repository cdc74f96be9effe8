/**
 * The well intervals of a run: the times in which a quorum of the voters runs on sound
 * disks and clocks, and is connected. Within them the cluster has to make progress,
 * whatever happens to the other members.
 */

import type { Cluster } from "../faults/cluster.ts";
import type { Machine } from "../machine/machine.ts";
import type { Process } from "../machine/process.ts";
import type { Network } from "../network.ts";
import type { Run } from "../run.ts";

/** A quorum that has been well without a break. */
export interface WellQuorum {
  readonly machines: ReadonlySet<Machine>;
  readonly sinceUs: number;
}

/** The processes and links of a run, and the times since which each has been well. */
export class Wellness {
  readonly #run: Run;
  readonly #cluster: Cluster;
  readonly #network: Network;
  readonly #machines = new Map<Machine, { readonly process: Process; readonly sinceUs: number }>();
  /** By the names of both machines, the smaller one first. */
  readonly #links = new Map<string, Map<string, number>>();
  #quorum: WellQuorum | null = null;

  constructor(run: Run, cluster: Cluster, network: Network) {
    this.#run = run;
    this.#cluster = cluster;
    this.#network = network;
  }

  /** The quorum that has been well for longest; `null` if none is. */
  get quorum(): WellQuorum | null {
    return this.#quorum;
  }

  /** Looks at everything again. */
  poll(): void {
    const { nowUs } = this.#run.scheduler;
    for (const machine of this.#cluster.all) {
      const { process } = machine;
      if (process === null || !isWell(machine)) this.#machines.delete(machine);
      else if (this.#machines.get(machine)?.process !== process) {
        this.#machines.set(machine, { process, sinceUs: nowUs });
      }
    }
    for (const from of this.#cluster.machines.keys()) {
      for (const to of this.#cluster.machines.keys()) {
        if (from < to) this.#pollLink(from, to, nowUs);
      }
    }
    this.#pollQuorum(nowUs);
  }

  /** Returns the time since which a machine has been well; `null` if it is not. */
  since(machine: Machine): number | null {
    return this.#machines.get(machine)?.sinceUs ?? null;
  }

  /** Returns the time since which two machines have been well and connected; `null` if they are not. */
  connectedSince(one: Machine, other: Machine): number | null {
    const oneUs = this.since(one);
    const otherUs = this.since(other);
    const [first, second] = one.name < other.name ? [one, other] : [other, one];
    const linkUs = this.#links.get(first.name)?.get(second.name);
    if (oneUs === null || otherUs === null || linkUs === undefined) return null;
    return Math.max(oneUs, otherUs, linkUs);
  }

  #pollLink(from: string, to: string, nowUs: number): void {
    let links = this.#links.get(from);
    if (links === undefined) this.#links.set(from, links = new Map());
    if (!this.#network.isWell(from, to)) links.delete(to);
    else if (!links.has(to)) links.set(to, nowUs);
  }

  #pollQuorum(nowUs: number): void {
    const before = this.#quorum;
    if (before !== null) {
      const left = this.#connected([...before.machines], before.sinceUs);
      if (this.#cluster.areQuorum(left)) {
        this.#quorum = { machines: left, sinceUs: before.sinceUs };
        return;
      }
    }
    const now = this.#connected([...this.#machines.keys()], nowUs);
    this.#quorum = this.#cluster.areQuorum(now) ? { machines: now, sinceUs: nowUs } : null;
  }

  /** Returns machines that have been well, and all connected with each other, since a time; the best connected first. */
  #connected(machines: readonly Machine[], sinceUs: number): ReadonlySet<Machine> {
    const joined = (one: Machine, other: Machine): boolean =>
      one === other || (this.connectedSince(one, other) ?? Infinity) <= sinceUs;
    const usable = machines.filter((machine) => (this.since(machine) ?? Infinity) <= sinceUs);
    const degree = (one: Machine): number => usable.filter((other) => joined(one, other)).length;
    const order = usable.map((machine) => ({ machine, links: degree(machine) })).sort((a, b) => b.links - a.links);
    const chosen = new Set<Machine>();
    for (const { machine } of order) if ([...chosen].every((other) => joined(machine, other))) chosen.add(machine);
    return chosen;
  }
}

/** Reports whether a machine runs a node, with a disk and timers that are in order, at an address that the others know. */
function isWell({ up, process, disk, lost, damaged, closing, moved, coalesceUs }: Machine): boolean {
  if (!up || process === null || process.frozen || closing || moved) return false;
  return !lost && !damaged && coalesceUs === 0 && disk.isWell;
}
