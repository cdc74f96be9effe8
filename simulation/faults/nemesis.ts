/**
 * The faults that happen from time to time, with their duration, and the requests of
 * an operator meanwhile. Faults of single messages are in network.ts.
 */

import type { FakeOperationType, Survival } from "../../storage/file/fake_file_system.ts";
import type { Clients } from "../clients/clients.ts";
import type { Stream } from "../decisions.ts";
import type { Machine } from "../machine/machine.ts";
import type { Network } from "../network.ts";
import { FAULTS } from "../plan.ts";
import type { EpisodeKind, Plan } from "../plan.ts";
import type { Run } from "../run.ts";
import type { Cluster } from "./cluster.ts";
import { Operator } from "./operator.ts";
import { partition } from "./partitions.ts";

export interface NemesisOptions {
  readonly run: Run;
  readonly plan: Plan;
  readonly cluster: Cluster;
  readonly network: Network;
  readonly clients: Clients;
}

/** A fault, which acts on `victim`; it returns `false` if nothing happened. */
type Episode = (victim: Machine, chance: Stream) => boolean | void;

export class Nemesis {
  readonly #options: NemesisOptions;
  readonly #operator: Operator;
  readonly #episodes: Readonly<Record<EpisodeKind, Episode>>;
  /** Functions that end lasting faults. */
  readonly #mends = new Set<() => void>();
  #stopped = false;

  constructor(options: NemesisOptions) {
    this.#options = options;
    this.#operator = new Operator(options.run, options.cluster);
    this.#episodes = {
      partition: (_, chance) => this.#partition(chance),
      clog: (victim, chance) => this.#clog(victim, chance),
      stranded: (_, chance) => this.#strand(chance),
      crash: (victim, chance) => this.#crash(victim, null, chance),
      powerFailure: (victim, chance) => this.#crash(victim, survival(chance), chance),
      blackout: (_, chance) => this.#blackout(chance),
      pause: (victim, chance) => this.#pause(victim, chance),
      suspend: (victim, chance) => this.#suspend(victim, chance),
      clockStep: (victim, chance) => this.#clockStep(victim, chance),
      coalescing: (victim, chance) => this.#coalesce(victim, chance),
      slowDisk: (victim, chance) =>
        this.#disk(victim, chance, "is slow", (disk) => void (disk.troubles.slowness = chance.pick([5, 50, 500])!)),
      diskFull: (victim, chance) =>
        this.#disk(victim, chance, "is full", (disk) => void (disk.troubles.room = chance.below(1000))),
      shortWrite: (victim, chance) =>
        this.#disk(victim, chance, "writes fewer bytes than given", (disk) => void (disk.troubles.shortWrites = 0.5)),
      readError: (victim, chance) =>
        this.#disk(victim, chance, "fails at some reads", (disk) => void (disk.troubles.readErrors = 0.1)),
      failedWrite: (victim, chance) => this.#spoilNext(victim, chance, "EIO", ["write", "open", "rename", "truncate"]),
      failedSync: (victim, chance) => this.#spoilNext(victim, chance, "EIO", ["sync", "sync", "syncDirectory"]),
      hangingWrite: (victim, chance) => this.#spoilNext(victim, chance, "hang", ["write", "sync"]),
      rot: (victim) => this.#rot(victim),
      wipe: (victim, chance) => this.#wipe(victim, chance),
      member: (victim, chance) => void this.#operator.changeOne(victim, chance),
      joint: (_, chance) => void this.#operator.changeMany(chance),
      replace: (_, chance) => this.#operator.replace(chance),
      transfer: (victim, chance) => void options.cluster.transfer(chance.chance(0.5) ? victim : undefined),
      snapshot: ({ node, process }) => {
        if (node === null || process?.frozen) return false;
        void options.cluster.snapshot(node);
        return true;
      },
    };
  }

  start(): void {
    void this.#go();
  }

  /** Starts no more faults, and ends the lasting ones. */
  stop(): void {
    this.#stopped = true;
    for (const mend of [...this.#mends]) mend();
  }

  async #go(): Promise<void> {
    const { run, plan } = this.#options;
    if (plan.episodes.length === 0) return;
    const total = plan.episodes.reduce((sum, { weight }) => sum + weight, 0);
    const chance = run.decisions.stream("fault");
    for (;;) {
      chance.next();
      await run.scheduler.sleep(1000 + chance.below(2000 * plan.episodeGapMs));
      if (this.#stopped) return;
      let at = chance.below(total);
      const { kind } = plan.episodes.find(({ weight }) => (at -= weight) < 0)!;
      const victim = this.#victim(chance);
      if (!chance.strikes(kind, 1)) continue;
      if (this.#episodes[kind](victim, chance) === false) continue;
      run.trace.count(kind);
      run.trace.mark("fault", FAULTS.indexOf(kind), victim.number);
    }
  }

  /** Chooses a victim, the leader more often than others, because most depends on it. */
  #victim(chance: Stream): Machine {
    const { cluster } = this.#options;
    const any = chance.pick(cluster.all)!;
    return chance.chance(0.3) ? cluster.leader ?? any : any;
  }

  /** Calls `mend` after some time, or when all faults end. */
  #lasts(chance: Stream, mostMs: number, mend: () => void): void {
    const end = (): void => {
      if (this.#mends.delete(end)) mend();
    };
    this.#mends.add(end);
    this.#options.run.scheduler.after(1000 * chance.between(10, mostMs), null, end);
  }

  #describe(actor: string, text: string): void {
    this.#options.run.trace.describe(actor, text);
  }

  #partition(chance: Stream): void {
    const { network, cluster, clients } = this.#options;
    const { shape, ways, mend } = partition(network, chance, cluster.all.map(({ name }) => name), clients.names);
    this.#options.run.trace.count(`partition: ${shape}`);
    this.#describe("network", `is cut (${shape}): ${ways.map(([from, to]) => `${from}→${to}`).join(" ")}`);
    this.#lasts(chance, 4000, () => {
      this.#describe("network", `is whole again (${shape})`);
      mend();
    });
  }

  #clog(victim: Machine, chance: Stream): void {
    const { network, cluster } = this.#options;
    const ways = cluster.all.filter((machine) => machine !== victim && chance.chance(0.6));
    const toVictim = chance.chance(0.5);
    this.#describe("network", `holds back messages ${toVictim ? "to" : "from"} ${victim.name}`);
    const frees = ways.map(({ name }) => toVictim ? network.clog(name, victim.name) : network.clog(victim.name, name));
    this.#lasts(chance, 2500, () => frees.forEach((free) => free()));
  }

  /** Strands the leader. The others elect a new one meanwhile; the answers of the stranded one must agree with theirs. */
  #strand(chance: Stream): boolean | void {
    const { network, cluster, plan } = this.#options;
    const leader = cluster.leader;
    if (leader === undefined || leader.process === null) return false;
    const { process, name } = leader;
    const others = cluster.all.filter((machine) => machine !== leader);
    const mends = others.flatMap((other) => [network.cut(name, other.name), network.cut(other.name, name)]);
    const timeoutMs = plan.node.electionTimeoutMs;
    const sleeps = chance.chance(0.5);
    process.freeze();
    if (sleeps) leader.clock.sleep();
    this.#describe(name, `${sleeps ? "sleeps" : "is paused"}, cut off from the other nodes`);
    let still = true;
    const goOn = (): void => {
      if (!still) return;
      still = false;
      this.#describe(name, "continues");
      if (leader.process === process) leader.clock.wake();
      process.thaw();
    };
    this.#options.run.scheduler.after(1000 * chance.between(timeoutMs, 3 * timeoutMs), null, goOn);
    this.#lasts(chance, 5 * timeoutMs, () => {
      goOn();
      mends.forEach((mend) => mend());
    });
  }

  /** Crashes a machine at once, or before or after one of the next operations of its process. */
  #crash(victim: Machine, survives: Survival | null, chance: Stream): boolean | void {
    const { process } = victim;
    if (process === null) return false;
    const restartMs = chance.between(1, chance.chance(0.7) ? 800 : 4000);
    const crash = (when: string) => (): void => {
      if (victim.process !== process) return;
      victim.crash(survives, `${when}, what was not synced: ${survives ?? "stays"}`);
      this.#options.run.scheduler.after(restartMs * 1000, null, () => victim.start());
    };
    if (chance.chance(0.3)) return crash("between two events")();
    const when = chance.chance(0.5) ? "before" : "after";
    process.light(chance.between(1, 60), when, crash(`${when} an operation`));
  }

  #blackout(chance: Stream): void {
    for (const machine of this.#options.cluster.all) {
      if (machine.process === null) continue;
      machine.crash(survival(chance), "all do");
      this.#options.run.scheduler.after(chance.between(1, 1500) * 1000, null, () => machine.start());
    }
  }

  #pause(victim: Machine, chance: Stream): boolean | void {
    const { process } = victim;
    if (process === null) return false;
    process.freeze();
    this.#describe(victim.name, "is paused");
    this.#lasts(chance, 3000, () => {
      this.#describe(victim.name, "continues");
      process.thaw();
    });
  }

  #suspend(victim: Machine, chance: Stream): boolean | void {
    const { process, clock } = victim;
    if (process === null) return false;
    process.freeze();
    clock.sleep();
    this.#describe(victim.name, "sleeps, its monotonic clock too");
    this.#lasts(chance, 3000, () => {
      this.#describe(victim.name, "wakes");
      if (victim.process === process) clock.wake();
      process.thaw();
    });
  }

  /** Sets the wall clock; with lease reads only forward, since setting it back could hide a sleep from a lease. */
  #clockStep(victim: Machine, chance: Stream): void {
    const byMs = Math.round((chance.unit() - (this.#options.plan.leaseReads ? 0 : 0.5)) * 20_000);
    this.#describe(victim.name, `has its wall clock set by ${byMs} ms`);
    victim.clock.step(byMs);
  }

  #coalesce(victim: Machine, chance: Stream): void {
    const ms = chance.pick([16, 100, 1000])!;
    this.#describe(victim.name, `has timers that fire every ${ms} ms`);
    const set = (us: number): void => {
      victim.coalesceUs = us;
      if (victim.process !== null) victim.process.coalesceUs = us;
    };
    set(ms * 1000);
    this.#lasts(chance, 4000, () => set(0));
  }

  #disk(victim: Machine, chance: Stream, what: string, spoil: (disk: Machine["disk"]) => void): void {
    const { disk } = victim;
    this.#describe(victim.name, `has a disk that ${what}`);
    spoil(disk);
    this.#lasts(chance, 3000, () => disk.heal());
  }

  #spoilNext(victim: Machine, chance: Stream, fault: "EIO" | "hang", types: readonly FakeOperationType[]): void {
    const type = chance.pick(types)!;
    const what = fault === "hang" ? "never return from" : "fail at";
    this.#describe(victim.name, `has a disk that will ${what} its next ${type}`);
    victim.disk.troubles.next.set(type, fault);
  }

  #rot(victim: Machine): boolean | void {
    const { cluster, plan } = this.#options;
    if (!plan.rotsBeyondQuorum && !cluster.mayLose(victim)) return false;
    const where = victim.disk.rot();
    if (where === null) return false;
    victim.lost = true;
    this.#options.run.rotten = true;
    this.#describe(victim.name, `has a flipped bit on its disk, in ${where}`);
  }

  #wipe(victim: Machine, chance: Stream): boolean | void {
    if (!this.#options.cluster.mayLose(victim)) return false;
    victim.wipe();
    this.#options.run.scheduler.after(chance.between(1, 1000) * 1000, null, () => victim.start());
  }
}

function survival(chance: Stream): Survival {
  return chance.pick(["none", "all", "random", "garbled", "garbled"])!;
}
