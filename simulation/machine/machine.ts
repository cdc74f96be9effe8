/**
 * A machine: a disk and clocks that outlive its processes, and the node that runs
 * there now, if any. A node that stops itself is restarted, as by a supervisor.
 */

import { StorageError } from "../../lib/errors.ts";
import { RaftNode } from "../../lib/node/mod.ts";
import type { RaftView } from "../../lib/node/mod.ts";
import type { Membership } from "../../lib/raft/types.ts";
import type { StateMachine } from "../../lib/state_machine.ts";
import type { Envelope, Receive, Transport } from "../../lib/transport.ts";
import type { Survival } from "../../storage/file/fake_file_system.ts";
import { DurableRecord } from "../checks/durable_record.ts";
import { leftAtStopped } from "../checks/idle_checks.ts";
import type { Life } from "../checks/life.ts";
import type { Stream } from "../decisions.ts";
import type { Liar, Victim } from "../faults/liar.ts";
import type { Receiver } from "../network.ts";
import { MachineClock } from "./clock.ts";
import { tellEvents } from "./node_events.ts";
import { DatabaseDisk } from "./database_disk.ts";
import { Disk } from "./disk.ts";
import type { MachineDisk } from "./disk.ts";
import { Process } from "./process.ts";
import { RequestServer } from "./request_server.ts";
import { checkedStateMachine, requestMachine, withSessions } from "./checked_state_machine.ts";
import { CheckedStorage } from "./checked_storage.ts";
import { Slowness, slowStateMachine } from "./slow_state_machine.ts";
import type { Surroundings } from "./surroundings.ts";

const CLUSTER_ID = "simulated";
/** Refusals that no correct member causes; the others concern identities, which operators change. */
const PROTOCOL_REFUSALS: ReadonlySet<string> = new Set([
  "malformed",
  "term",
  "leader",
  "conflict",
  "answer",
  "snapshot",
]);
/** The longest time before the supervisor restarts a process. */
const RESTART_MS = 500;

export class Machine implements Receiver, Victim {
  readonly name: string;
  readonly clock: MachineClock;
  disk: MachineDisk;
  /** The interval, in microseconds, at whose multiples timers of its processes fire. */
  coalesceUs = 0;
  /** Set if its data is lost or rotten, so that its promises don't count. */
  lost = false;
  /** Set if its data can't be read; it is no longer started. */
  damaged = false;
  /** Set if it is not started again. */
  down = false;
  /** Set while its node is being closed in order, and then until its process ends. */
  closing = false;
  /** Set while it is at an address that not all others know. */
  moved = false;
  /** Damage of its folder that the next start has to report; `null` if there is none. */
  mustReport: string | null = null;
  /** The name of its present disk. */
  incarnation: string;
  process: Process | null = null;
  /** The user's state machine of the present process, or of the last one. */
  application: StateMachine | null = null;
  /** The node that runs here; `null` if there is none, or it is still starting. */
  node: RaftNode | null = null;
  /** The server of that node, in runs in which nodes forward requests. */
  server: RequestServer | null = null;
  readonly #with: Surroundings;
  readonly number: number;
  readonly #chance: Stream;
  /** True if its node runs in a browser, with its data in IndexedDB. */
  readonly inBrowser: boolean;
  /** The first membership, for the first disk of a first member. */
  #bootstrap: Membership | null;
  #wipes = 0;
  readonly #records = new Map<string, DurableRecord>();
  #life: Life | null = null;
  #machine: StateMachine | null = null;
  #receive: Receive | null = null;
  /** The unsynced data that survived the end of the last process; `null` if the machine did not lose power. */
  #survival: Survival | null = null;

  constructor(surroundings: Surroundings, name: string, number: number, bootstrap: Membership | null) {
    const { run, plan } = surroundings;
    this.#with = surroundings;
    this.name = name;
    this.number = number;
    this.#chance = run.decisions.stream(`machine ${name}`);
    this.inBrowser = run.decisions.stream(`place of ${name}`).chance(plan.browserShare);
    this.#bootstrap = bootstrap;
    this.incarnation = `${name}.0`;
    const clock = run.decisions.stream(`clock ${name}`);
    // With leases only the largest drift matters: some clocks run as fast, or as slowly, as they may.
    const part = plan.leaseReads && clock.chance(0.5) ? 2 * clock.below(2) - 1 : 2 * this.#chance.unit() - 1;
    const drift = plan.maxDrift * part;
    this.clock = new MachineClock(() => run.scheduler.nowUs, 1 + drift, this.#chance.between(-60_000, 60_000));
    this.disk = this.#newDisk();
  }

  /** Returns the record of a disk of this machine, including those before a wipe: they had what they acknowledged. */
  recordOf(incarnation: string): DurableRecord | null {
    return this.#records.get(incarnation) ?? null;
  }

  /** The state machine of its node; `null` if none runs. */
  get stateMachine(): StateMachine | null {
    return this.up ? this.#machine : null;
  }

  /** True if a node runs here. */
  get up(): boolean {
    return this.node?.lifecycle === "running";
  }

  /** Its entry in a membership. */
  get member(): { readonly id: string; readonly address: string; readonly incarnation: string } {
    return { id: this.name, address: this.address, incarnation: this.incarnation };
  }

  /** Its present address. */
  get address(): string {
    return this.#with.addresses.of(this.name);
  }

  start(): void {
    if (this.process !== null || this.damaged || this.down) return;
    const { run, plan, protocol, application } = this.#with;
    run.trace.mark("started", this.number);
    run.trace.describe(this.name, "starts");
    const process = new Process(run, this, this.clock, this.#chance.next());
    process.coalesceUs = this.coalesceUs;
    const life: Life = {
      name: this.name,
      incarnation: this.incarnation,
      record: this.#records.get(this.incarnation)!,
      view: null,
      seen: null,
      lastApplied: 0,
      opened: null,
      committed: [],
    };
    this.process = process;
    this.#life = life;
    this.disk.begin(process, this.#survival);
    this.#survival = null;
    const bootstrap = this.#bootstrap;
    RaftNode.start({
      ...plan.node,
      id: this.name,
      address: this.address,
      host: process,
      incarnation: this.incarnation,
      stateMachine: this.#stateMachine(process, life),
      storage: new CheckedStorage(
        this.disk.storage({ ...plan.storage, onLost: this.#onLost(process) }),
        {
          life,
          protocol,
          application,
          trace: run.protocol,
          count: (what) => run.trace.count(what),
          settled: () => this.requireAlive(process),
        },
      ),
      transport: this.#transport(process, life),
      ...bootstrap === null ? {} : { bootstrap: { clusterId: CLUSTER_ID, membership: bootstrap } },
    }).then(
      (node) => this.#started(process, life, node),
      (error) => this.#startFailed(process, error),
    );
  }

  /** Ends the process at once. With `survival` the machine loses power, and that part of the unsynced data survives. */
  crash(survival: Survival | null, why: string): void {
    if (survival !== null) this.#survival = survival;
    if (this.process === null) return;
    const { run } = this.#with;
    run.trace.mark("ended", this.number);
    run.trace.describe(this.name, `${survival === null ? "is killed" : "loses power"}: ${why}`);
    if (this.#life !== null) run.protocol?.ended(this.#life);
    this.process.kill();
    this.process = null;
    this.closing = false;
    this.#life = null;
    this.node = null;
    this.server = null;
    this.#receive = null;
    this.clock.wake();
  }

  /** Replaces its disk: it returns as a new node. */
  wipe(): void {
    this.crash(null, "its disk is replaced");
    this.#bootstrap = null;
    this.incarnation = `${this.name}.${++this.#wipes}`;
    this.disk = this.#newDisk();
    this.#survival = null;
    this.damaged = false;
    this.lost = false;
    this.moved = false;
    this.mustReport = null;
  }

  /**
   * Closes its node in order, as a server that is asked to end does; returns false if none runs.
   *
   * @param closed called once it has ended
   */
  shutDown(closed: () => void): boolean {
    const { process, node, server } = this;
    if (process === null || node === null || process.frozen) return false;
    this.#with.run.trace.describe(this.name, "is closed in order");
    this.closing = true;
    const ended = (error: unknown): void => {
      this.requireAlive(process);
      if (this.process !== process) return;
      const left = process.retire();
      // A time limit of a browser can not be cancelled.
      const failure = error === null ? (this.inBrowser ? null : left) : `failed: ${error}`;
      if (failure !== null) this.#with.run.report("no unexplained stop", `${this.name} was closed, but ${failure}`);
      closed();
    };
    const close = async (): Promise<void> => {
      await server?.close();
      await node.close();
    };
    process.wake(() => close().then(() => ended(null), ended));
    return true;
  }

  /** Checks that a promise does not settle after its process was killed; it may in the same step. */
  requireAlive(process: Process): void {
    const { run } = this.#with;
    if (process.alive || process.endedAtStep === run.scheduler.steps) return;
    run.report("a dead process is silent", `a promise of ${this.name} settled after the process had ended`);
  }

  poll(): void {
    if (this.#life !== null) this.#with.protocol.poll(this.#life);
  }

  /** The last entry that the snapshot on its disk covers. */
  get settled(): number {
    return this.recordOf(this.incarnation)?.snapshot?.index ?? 0;
  }

  /** The state of its node; `null` if none runs. */
  get view(): RaftView | null {
    return this.#life?.view ?? null;
  }

  /** The member that lies, if it is this one. */
  get #liar(): Liar | null {
    const { liar } = this.#with;
    return liar?.name === this.name ? liar : null;
  }

  receive(envelope: Envelope): void {
    if (this.#liar?.ignores(envelope)) return;
    this.process?.receive(() => void this.#receive?.(envelope));
  }

  #newDisk(): MachineDisk {
    const { run } = this.#with;
    this.#records.set(this.incarnation, new DurableRecord());
    const chance = run.decisions.stream(`disk ${this.name} ${this.#wipes}`);
    if (!this.inBrowser) return new Disk(run, this.number, chance);
    run.trace.count("in a browser");
    return new DatabaseDisk(run, this.number, this.name, chance);
  }

  /** Makes the state machine, and around it the sessions, its slowness and the checks. */
  #stateMachine(process: Process, life: Life): StateMachine {
    const { run, plan, protocol, application, stateMachine } = this.#with;
    this.application = stateMachine();
    const requests = requestMachine(this.application, (request, index) => application.ran(life, request, index));
    const machine = this.#machine = withSessions(requests, plan);
    const paced = plan.slow === null ? machine : slowStateMachine(machine, new Slowness(run, process, plan.slow));
    return checkedStateMachine(paced, life, application, () => protocol.poll(life));
  }

  #transport(process: Process, life: Life): Transport {
    const { run, network, protocol } = this.#with;
    return {
      start: (receive) => {
        if (process.alive) this.#receive = receive;
        return Promise.resolve();
      },
      send: (address, envelope) =>
        process.perform(() => {
          if (process.retired) run.report("a dead process is silent", `${this.name} sends after it was closed`);
          protocol.leaves(life, envelope.to, envelope.message);
          const liar = this.#liar;
          if (liar === null) network.send(this.name, address, envelope);
          else liar.send(address, envelope, life.view, (to, said) => network.send(this.name, to, said));
        }),
      close: () => {
        if (process.alive) this.#receive = null;
        return Promise.resolve();
      },
    };
  }

  #started(process: Process, life: Life, node: RaftNode): void {
    this.requireAlive(process);
    if (!process.alive) return;
    this.node = node;
    life.view = node.inspect();
    if (this.mustReport !== null) {
      this.#with.run.report("durable storage", `${this.name} starts in spite of damage: ${this.mustReport}`);
    }
    const { run, plan } = this.#with;
    const { trace } = run;
    const { forwarding: traits } = plan;
    if (traits !== null) this.server = new RequestServer({ ...this.#with, traits, node, process });
    run.protocol?.started(life, life.view);
    tellEvents(run, this.name, node, this.#with.liar !== null);
    node.addEventListener("storageError", ({ detail: { error, consequence } }) => {
      const sentDamaged = error instanceof StorageError && error.code === "damaged" && this.#maySendWrongly;
      if (!sentDamaged && !this.#explains(error)) {
        run.report("no unexplained stop", `the storage of ${this.name} failed for nothing: ${error.message}`);
      }
      trace.count(`storage error: ${consequence}`);
      trace.describe(this.name, () => `storage error (${consequence}): ${error.message}`);
    });
    node.addEventListener("refused", ({ detail: { from, kind, reason } }) => {
      this.#with.run.trace.describe(this.name, `refuses a message of ${from}: ${reason}`);
      if (!PROTOCOL_REFUSALS.has(kind) || this.#maySendWrongly) return;
      this.#with.run.report("bad messages are refused", `${this.name} refuses what ${from} sent in order: ${reason}`);
    });
    node.addEventListener("stopped", ({ detail: { error } }) => this.#stopped(process, error));
    this.poll();
  }

  /** Reports whether a member has lied or sends what has rotted on its disk. */
  get #maySendWrongly(): boolean {
    const { run, liar } = this.#with;
    return run.rotten || (liar !== null && liar.told > 0);
  }

  /** Checks that damage was injected; tries again after other errors. */
  #startFailed(process: Process, error: unknown): void {
    this.requireAlive(process);
    if (!process.alive) return;
    const { run } = this.#with;
    run.trace.count("start failed");
    if (error instanceof StorageError && (error.code === "damaged" || error.code === "unsupported_version")) {
      if (!this.lost) run.report("durable storage", `${this.name} can't read its disk: ${error.message}`);
      run.trace.count("damage found at start");
      run.trace.describe(this.name, () => `finds damage, and stays down: ${error.message}`);
      this.damaged = true;
      this.mustReport = null;
      return this.crash(null, "its data is damaged");
    }
    this.#stopped(process, error);
  }

  /** Reports whether an error follows from a fault of the disk: an injected failure, a disk that hangs or is slow, or rot. */
  #explains(error: unknown): boolean {
    if (!(error instanceof StorageError)) return false;
    if (error.code === "damaged" || error.code === "unsupported_version") return this.lost;
    if (error.code === "locked") return this.inBrowser;
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      if (this.disk.explains(cause)) return true;
    }
    return error.disk === "in_doubt" && this.disk.troubled;
  }

  /** Returns a function that ends a node whose database is gone: at once, or when it has not noticed by itself. */
  #onLost(process: Process): (error: unknown) => void {
    const { scheduler } = this.#with.run;
    return (error) => {
      const delayMs = this.#chance.next().pick([0, 2000])!;
      scheduler.after(delayMs * 1000, this, () => this.#stopped(process, error));
    };
  }

  #stopped(process: Process, error: unknown): void {
    if (!process.alive) return;
    const { run } = this.#with;
    const message = error instanceof Error ? error.message : String(error);
    run.trace.count("stopped itself");
    if (!this.#explains(error)) run.report("no unexplained stop", `${this.name} stopped: ${message}`);
    const left = leftAtStopped(this);
    if (left !== null) run.report("nothing leaks", left);
    this.crash(null, `it stopped itself: ${message}`);
    run.scheduler.after(this.#chance.next().between(50, RESTART_MS) * 1000, this, () => this.start());
  }
}
