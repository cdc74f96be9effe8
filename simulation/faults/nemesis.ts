/**
 * The faults that happen from time to time, with their duration, and the requests of
 * an operator meanwhile. Faults of single messages are in network.ts.
 */

import type { FakeOperationType, Survival } from "../../storage/file/fake_file_system.ts";
import type { Clients } from "../clients/clients.ts";
import type { Stream } from "../decisions.ts";
import { DATABASE_LOSSES, DatabaseDisk } from "../machine/database_disk.ts";
import type { Addresses } from "../addresses.ts";
import { Disk } from "../machine/disk.ts";
import type { DiskTroubles } from "../machine/disk.ts";
import { damageFile } from "../machine/file_damage.ts";
import type { Machine } from "../machine/machine.ts";
import type { Network } from "../network.ts";
import { FAULTS } from "../plan.ts";
import type { EpisodeKind, FaultKind, Plan } from "../plan.ts";
import type { Run } from "../run.ts";
import { isMember } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import type { Liar } from "./liar.ts";
import { changeMany, changeOne, readdress, readmit, replace } from "./operator.ts";
import { partition } from "./partitions.ts";

export interface NemesisOptions {
  readonly run: Run;
  readonly plan: Plan;
  readonly cluster: Cluster;
  readonly network: Network;
  readonly addresses: Addresses;
  readonly clients: Clients;
  /** The member that lies; `null` if all tell the truth. */
  readonly liar: Liar | null;
}

/** A fault, which acts on `victim`; it returns `false` if nothing happened. */
type Episode = (victim: Machine, chance: Stream) => boolean | void;

/** The kinds that happen to members and their folders. */
const LIVES: readonly EpisodeKind[] = ["shutdown", "readdress", "readmit"];
const FOLDERS: readonly EpisodeKind[] = ["fileDamage", "staleFile"];

/** The other kinds, in the order of FAULTS. */
const UNLIKE_EPISODES: readonly FaultKind[] = [
  ...["loss", "duplication", "delay", "replay", "flip", "drift", "lostCall", "lateCall"] as const,
  ...LIVES,
  ...FOLDERS,
];

/** Groups of kinds, each with a stream of its own, and the mean time between two of them as a multiple of the plan's. */
const GROUPS: readonly { readonly stream: string; readonly kinds: readonly EpisodeKind[]; readonly gap: number }[] = [
  { stream: "fault", kinds: FAULTS.filter((kind) => !UNLIKE_EPISODES.includes(kind)) as EpisodeKind[], gap: 1 },
  { stream: "life", kinds: LIVES, gap: 3 },
  { stream: "folder", kinds: FOLDERS, gap: 4 },
];

/** The longest time that closing a node may take. */
const CLOSE_MS = 60_000;

export class Nemesis {
  readonly #options: NemesisOptions;
  /** The relative frequency of each kind, and what happens. */
  readonly #episodes: Readonly<Record<EpisodeKind, readonly [weight: number, act: Episode]>> = {
    partition: [4, (_, chance) => this.#partition(chance)],
    clog: [2, (victim, chance) => this.#clog(victim, chance)],
    stranded: [3, (_, chance) => this.#strand(chance)],
    crash: [4, (victim, chance) => this.#crash(victim, null, chance)],
    powerFailure: [4, (victim, chance) => this.#crash(victim, survival(chance), chance)],
    blackout: [1, (_, chance) => this.#blackout(chance)],
    pause: [3, (victim, chance) => this.#pause(victim, chance, false)],
    suspend: [2, (victim, chance) => this.#pause(victim, chance, true)],
    clockStep: [2, (victim, chance) => this.#clockStep(victim, chance)],
    coalescing: [1, (victim, chance) => this.#coalesce(victim, chance)],
    slowDisk: [2, (victim, chance) => this.#disk(victim, chance, "is slow", { slowness: chance.pick([5, 50, 500])! })],
    diskFull: [2, (victim, chance) => this.#disk(victim, chance, "is full", { room: chance.below(1000) })],
    shortWrite: [
      1,
      (victim, chance) => this.#disk(victim, chance, "writes fewer bytes than given", { shortWrites: 0.5 }),
    ],
    failedWrite: [
      2,
      (victim, chance) => this.#spoilNext(victim, chance, "EIO", ["write", "open", "rename", "truncate"]),
    ],
    failedSync: [2, (victim, chance) => this.#spoilNext(victim, chance, "EIO", ["sync", "sync", "syncDirectory"])],
    hangingWrite: [2, (victim, chance) => this.#spoilNext(victim, chance, "hang", ["write", "sync"])],
    readError: [1, (victim, chance) => this.#disk(victim, chance, "fails at some reads", { readErrors: 0.1 })],
    rot: [1, (victim) => this.#rot(victim)],
    wipe: [1, (victim, chance) => this.#wipe(victim, chance)],
    databaseLost: [3, (victim, chance) => this.#loseDatabase(victim, chance)],
    secondTab: [2, ({ disk }) => disk instanceof DatabaseDisk && disk.openTwice()],
    member: [4, (victim, chance) => void changeOne(this.#options.cluster, victim, chance)],
    joint: [3, (_, chance) => void changeMany(this.#options.cluster, chance)],
    replace: [3, (_, chance) => void replace(this.#options.cluster, chance)],
    transfer: [2, (victim, chance) => void this.#options.cluster.transfer(chance.chance(0.5) ? victim : undefined)],
    snapshot: [2, (victim) => this.#snapshot(victim)],
    shutdown: [3, (victim, chance) => this.#shutDown(victim, chance)],
    readdress: [2, (victim, chance) => this.#readdress(victim, chance)],
    readmit: [2, (victim, chance) => this.#readmit(victim, chance)],
    fileDamage: [1, (victim, chance) => this.#damageFile(victim, chance, true)],
    staleFile: [2, (victim, chance) => this.#damageFile(victim, chance, false)],
  };
  /** Functions that end lasting faults. */
  readonly #mends = new Set<() => void>();
  #stopped = false;

  constructor(options: NemesisOptions) {
    this.#options = options;
  }

  start(): void {
    for (const { stream, kinds, gap } of GROUPS) void this.#go(stream, kinds, gap);
  }

  /** Starts no more faults, and ends the lasting ones. */
  stop(): void {
    this.#stopped = true;
    for (const mend of [...this.#mends]) mend();
  }

  async #go(stream: string, group: readonly EpisodeKind[], gap: number): Promise<void> {
    const { run, plan } = this.#options;
    const kinds = group.filter((kind) => plan.faults.has(kind));
    if (kinds.length === 0) return;
    const total = kinds.reduce((sum, kind) => sum + this.#episodes[kind][0], 0);
    const chance = run.decisions.stream(stream);
    for (;;) {
      chance.next();
      await run.scheduler.sleep(1000 + chance.below(2000 * gap * plan.episodeGapMs));
      if (this.#stopped) return;
      let at = chance.below(total);
      const kind = kinds.find((each) => (at -= this.#episodes[each][0]) < 0)!;
      const [, act] = this.#episodes[kind];
      const victim = this.#victim(chance);
      if (!chance.strikes(kind, 1)) continue;
      if (act(victim, chance) === false) continue;
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
    const sleeps = chance.chance(0.5) && !(plan.leaseReads && plan.setsClocksBack);
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

  /** Pauses a process, or with `sleeps` its machine. */
  #pause(victim: Machine, chance: Stream, sleeps: boolean): boolean | void {
    const { process, clock } = victim;
    if (process === null) return false;
    process.freeze();
    if (sleeps) clock.sleep();
    this.#describe(victim.name, sleeps ? "sleeps, its monotonic clock too" : "is paused");
    this.#lasts(chance, 3000, () => {
      this.#describe(victim.name, sleeps ? "wakes" : "continues");
      if (sleeps && victim.process === process) clock.wake();
      process.thaw();
    });
  }

  #clockStep(victim: Machine, chance: Stream): void {
    const { run, plan: { leaseReads, setsClocksBack } } = this.#options;
    const byMs = Math.round((chance.unit() - (setsClocksBack ? 0.5 : 0)) * 20_000);
    if (leaseReads && byMs < 0) run.trace.count("clock set back under leases");
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

  #disk({ name, disk }: Machine, chance: Stream, what: string, troubles: Partial<DiskTroubles>): void {
    this.#describe(name, `has a disk that ${what}`);
    Object.assign(disk.troubles, troubles);
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
    this.#replaceDisk(victim, chance);
  }

  /** Has a browser take the database of a running node away, with its data or without. */
  #loseDatabase(victim: Machine, chance: Stream): boolean | void {
    const { disk, name } = victim;
    const how = chance.pick(DATABASE_LOSSES)!;
    if (!(disk instanceof DatabaseDisk)) return false;
    if (how === "deleted" && !this.#options.cluster.mayLose(victim)) return false;
    const begun = disk.lose(how, () => victim.up, () => {
      if (how === "deleted" && victim.disk === disk) this.#replaceDisk(victim, chance);
    });
    if (!begun) return false;
    if (how === "deleted") victim.lost = true;
    this.#options.run.trace.count(`database: ${how}`);
    this.#describe(name, `has its database ${how}`);
  }

  #replaceDisk(victim: Machine, chance: Stream): void {
    victim.wipe();
    this.#options.run.scheduler.after(chance.between(1, 1000) * 1000, null, () => victim.start());
  }

  /** Closes a node in order, and starts another process after a while. */
  #shutDown(victim: Machine, chance: Stream): boolean {
    const { run } = this.#options;
    const restartMs = chance.between(1, 1500);
    const { process } = victim;
    let closed = false;
    const begun = victim.shutDown(() => {
      closed = true;
      // Whatever it has forgotten to cancel would happen now.
      run.scheduler.after(restartMs * 1000, null, () => {
        if (victim.process === process) victim.crash(null, "it was closed");
        victim.start();
      });
    });
    run.scheduler.after(CLOSE_MS * 1000, null, () => {
      if (!begun || closed || !process?.alive || process.frozen) return;
      run.report("liveness", `${victim.name} is not closed within ${CLOSE_MS} ms`);
    });
    return begun;
  }

  #readdress(victim: Machine, chance: Stream): boolean | void {
    const { cluster, addresses } = this.#options;
    if (victim.process === null || !cluster.reaches(victim)) return false;
    void readdress(cluster, addresses, victim, chance);
  }

  /** Cuts a member off, removes it and adds it again meanwhile. */
  #readmit(victim: Machine, chance: Stream): boolean | void {
    const { network, cluster } = this.#options;
    const membership = cluster.leader?.node?.inspect().membership;
    if (membership === undefined || victim === cluster.leader || !isMember(membership, victim)) return false;
    const others = cluster.all.filter((machine) => machine !== victim);
    const mends = others.flatMap(({ name }) => [network.cut(name, victim.name), network.cut(victim.name, name)]);
    const end = (): void => {
      if (this.#mends.delete(end)) mends.forEach((mend) => mend());
    };
    this.#mends.add(end);
    this.#describe(victim.name, "is cut off, to be removed and added again");
    void readmit(cluster, victim, chance).finally(end);
  }

  /** Damages a file of a machine while it is down for a moment. */
  #damageFile(victim: Machine, chance: Stream, reported: boolean): boolean | void {
    const { run, cluster } = this.#options;
    const { disk } = victim;
    const other = chance.pick(cluster.all.filter((machine) => machine !== victim))?.disk;
    // Browsers keep their data in databases.
    if (!(disk instanceof Disk) || !(other instanceof Disk) || victim.process === null || victim.lost) return false;
    if (reported && !cluster.mayLose(victim)) return false;
    victim.crash(null, "someone works on its folder");
    run.scheduler.after(chance.between(1, 800) * 1000, null, () => victim.start());
    const done = damageFile(
      disk.fileSystem,
      other.fileSystem,
      victim.settled > 0,
      chance,
      reported,
    );
    if (done === null) return false;
    run.trace.count(`file: ${done.kind}`);
    this.#describe(victim.name, `has a damaged folder, ${done.kind}: ${done.where}`);
    if (!reported) return;
    victim.lost = true;
    if (done.certain) victim.mustReport = `${done.kind}: ${done.where}`;
  }

  #snapshot(machine: Machine): boolean | void {
    if (machine.node === null || machine.process?.frozen) return false;
    void this.#options.cluster.snapshot(machine);
  }
}

function survival(chance: Stream): Survival {
  return chance.pick(["none", "all", "random", "garbled", "garbled"])!;
}
