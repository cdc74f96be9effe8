/**
 * One run of a whole cluster in virtual time, from one seed.
 */

import { KeyValue } from "../lib/kv/key_value.ts";
import type { RaftNodeOptions } from "../lib/node/types.ts";
import { membershipOf } from "../lib/raft/mod.ts";
import type { StateMachine } from "../lib/state_machine.ts";
import { Addresses } from "./addresses.ts";
import { ApplicationChecks, checksumOf } from "./checks/application_checks.ts";
import { History } from "./checks/history.ts";
import { KeyValueMirror } from "./checks/key_value_mirror.ts";
import { LivenessChecks } from "./checks/liveness_checks.ts";
import { ServedCalls } from "./checks/served_calls.ts";
import { ProtocolChecks } from "./checks/protocol_checks.ts";
import { WatchChecks } from "./checks/watch_checks.ts";
import { Clients } from "./clients/clients.ts";
import { keyValueHistory, KeyValueWorkload, misread } from "./clients/key_value_workload.ts";
import type { Workload } from "./clients/workload.ts";
import { drawBusyOperator, operate } from "./faults/busy_operator.ts";
import { OperatorChecks } from "./checks/operator_checks.ts";
import { Cluster } from "./faults/cluster.ts";
import { Liar } from "./faults/liar.ts";
import { Nemesis } from "./faults/nemesis.ts";
import type { NemesisOptions } from "./faults/nemesis.ts";
import { checkLinearizable, keyValueModel } from "./linearizability/mod.ts";
import { Machine } from "./machine/machine.ts";
import { answerOf, requestMachine, withSessions } from "./machine/checked_state_machine.ts";
import { Network } from "./network.ts";
import { ProtocolTrace } from "./protocol_trace.ts";
import type { ProtocolEvent } from "./protocol_trace.ts";
import { drawPlan } from "./plan.ts";
import type { FaultKind } from "./plan.ts";
import { recover } from "./recovery.ts";
import { OWN_RULES, Run } from "./run.ts";
import type { Violation } from "./run.ts";
import type { StoryLine } from "./trace.ts";

/** Options of {@linkcode simulate}. */
export interface SimulationOptions {
  /** The seed, which determines the whole run. */
  readonly seed: number;
  /** The number of initial voters. @default drawn from the seed, 1 to 7 */
  readonly nodes?: number;
  /** Settings of every node. @default drawn from the seed, with small limits */
  readonly node?: Partial<RaftNodeOptions>;
  /** The duration of the faults, in virtual milliseconds; recovery follows. @default 20000, and four times that for one seed in 32 */
  readonly durationMs?: number;
  /** Ends the run after this many events; requests under way then have no outcome, and there is no recovery. @default 5000000 */
  readonly steps?: number;
  /** The faults that may happen; each seed draws some of them. @default all */
  readonly faults?: readonly FaultKind[];
  /** Set to have a member that lies in each run, or in none. @default drawn from the seed, for one in eight; never with `faults` */
  readonly liars?: boolean;
  /** Makes the state machine of a node; without sessions, which are added. @default the key-value store */
  readonly stateMachine?: () => StateMachine;
  /** Makes the requests of clients. Required with your own state machine. @default puts, gets, deletes, compare-and-sets */
  readonly workload?: () => Workload;
  /** The only faults and requests that may happen, by name: see {@linkcode SimulationResult.decisions}. @default no limit */
  readonly decisions?: Iterable<string>;
  /**
   * Searches for a linearization of the clients' history, which needs no knowledge
   * of the log; for the built-in workload alone. @default for every 8th seed
   */
  readonly search?: boolean;
  /** Records the story. @default false */
  readonly record?: boolean;
  /** Called with each event of the protocol, in order, for a model checker; see docs/tla/README.md. */
  readonly onProtocolEvent?: (event: ProtocolEvent) => void;
}

/** The result of a run. */
export interface SimulationResult {
  /** The seed of the run. */
  readonly seed: number;
  /** `passed` if all rules held. */
  readonly verdict: "passed" | "failed";
  /** The first violation; `null` if all rules held. */
  readonly violation: Violation | null;
  /** A hash of 64 bits of all events in order: equal for equal seeds, in every runtime. */
  readonly traceHash: string;
  /** The number of events. */
  readonly steps: number;
  /** The duration, in virtual milliseconds. */
  readonly virtualMs: number;
  /** The number of committed log entries. */
  readonly commits: number;
  /** The number of events of each kind. */
  readonly counts: Readonly<Record<string, number>>;
  /** Faults and requests that happened, by name, in order; for {@linkcode SimulationOptions.decisions}. */
  readonly decisions: readonly string[];
  /** The story in words, if it was recorded. */
  readonly story: readonly StoryLine[];
}

/** The default of {@linkcode SimulationOptions.steps}. */
const MAX_STEPS = 5_000_000;

/**
 * Runs a cluster of real nodes, with the real file storage on a simulated disk and
 * the real codec on a simulated network, in virtual time on this thread, and
 * checks it after each event. A violation is a result, not an exception.
 *
 * @example
 * ```ts
 * import { simulate } from "./simulation/mod.ts";
 *
 * const { verdict, commits, traceHash } = await simulate({ seed: 1 });
 * console.log(verdict, commits, traceHash);
 * ```
 */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  return await new Simulation(options).live();
}

/** The time between two looks at whether the cluster makes progress. */
const LOOK_US = 50_000;

class Simulation {
  readonly #options: SimulationOptions;
  readonly #run: Run;
  readonly #protocol: ProtocolChecks;
  readonly #liveness: LivenessChecks;
  readonly #application: ApplicationChecks;
  readonly #history = new History();
  readonly #faults: NemesisOptions;
  readonly #stateMachine: () => StateMachine;

  constructor(options: SimulationOptions) {
    const { seed, decisions, record = false, steps = MAX_STEPS } = options;
    const run = new Run(seed, decisions === undefined ? null : new Set(decisions), record);
    run.scheduler.maxSteps = steps;
    if (options.onProtocolEvent !== undefined) {
      run.protocol = new ProtocolTrace(() => run.scheduler.nowMs, options.onProtocolEvent);
    }
    const plan = drawPlan(run.decisions, options);
    const { stateMachine = () => new KeyValue(plan.keyValue) } = options;
    for (const kind of ["bulk", "slow"] as const) if (plan[kind] !== null) run.trace.count(`seed: ${kind}`);
    if (plan.raw) run.trace.count("seed: raw");
    if (plan.forwarding !== null) run.trace.count("seed: forwarding");
    if (plan.length > 1) run.trace.count("seed: long");
    if (plan.liar?.deceives) run.rulesLeft = OWN_RULES;
    if (plan.maxDrift > 0) run.trace.count("drift");
    const machines = new Map<string, Machine>();
    const names = Array.from({ length: plan.voters + plan.spares }, (_, i) => `n${i + 1}`);
    const addresses = new Addresses(names);
    const network = new Network(run, plan.network, machines, addresses);
    const protocol = new ProtocolChecks(run, (id, incarnation) => machines.get(id)?.recordOf(incarnation) ?? null);
    const application = new ApplicationChecks(run, protocol.entries);
    const liar = plan.liar === null ? null : new Liar(run, plan.liar, machines);
    const served = new ServedCalls(run);
    const surroundings = {
      run,
      plan,
      network,
      addresses,
      protocol,
      application,
      machines,
      served,
      liar,
      stateMachine,
    };
    const members = names.slice(0, plan.voters).map((id) => ({ id, address: id, incarnation: `${id}.0` }));
    const first = membershipOf({ voters: members });
    for (const [at, name] of names.entries()) {
      machines.set(name, new Machine(surroundings, name, at, at < plan.voters ? first : null));
    }
    const workload = options.workload?.() ?? new KeyValueWorkload(plan.clients.keys, plan.clients.readShare);
    const history = this.#history;
    const mayWatch = options.stateMachine === undefined && options.workload === undefined;
    const clients = new Clients({ run, plan, machines, network, served, workload, history, application, mayWatch });
    const operators = new OperatorChecks(run, protocol, plan.liar !== null);
    const cluster = new Cluster(run, protocol, operators, machines, served);
    const liveness = new LivenessChecks({ run, plan, protocol, cluster, network, clients, history, served });
    run.scheduler.observer = { everyUs: LOOK_US, look: () => liveness.poll() };
    this.#options = options;
    this.#run = run;
    this.#protocol = protocol;
    this.#liveness = liveness;
    this.#application = application;
    this.#faults = { run, plan, cluster, network, addresses, clients, liar };
    this.#stateMachine = stateMachine;
  }

  /** Runs from the first start to the last check. */
  async live(): Promise<SimulationResult> {
    const { scheduler, decisions } = this.#run;
    const { cluster, clients } = this.#faults;
    const chance = decisions.stream("start");
    for (const machine of cluster.all) {
      scheduler.after(chance.next().below(20_000), null, () => machine.start());
    }
    clients.start();
    const nemesis = new Nemesis(this.#faults);
    nemesis.start();
    if (drawBusyOperator(decisions, this.#options)) void operate(this.#faults);
    await scheduler.run((this.#options.durationMs ?? 20_000 * this.#faults.plan.length) * 1000);
    // Deceived nodes may disagree for ever, and clients were told what is no longer so.
    if (this.#run.rulesLeft !== null) return this.#result();
    if (!scheduler.stopped) {
      nemesis.stop();
      this.#liveness.checkElections();
      this.#run.calm = true;
      await recover(this.#faults);
    }
    if (scheduler.steps >= scheduler.maxSteps && this.#options.steps === undefined) {
      this.#run.report("liveness", `no end within ${scheduler.steps} events`);
    }
    await this.#checkAll();
    return this.#result();
  }

  /** Checks everything that can be checked only at the end. */
  async #checkAll(): Promise<void> {
    const run = this.#run;
    if (run.violation !== null) return;
    this.#history.checkOutcomes(run, this.#application, this.#faults.clients.served.withoutEffect);
    this.#history.checkOrder(run);
    this.#faults.cluster.checkOperators();
    const watches = new WatchChecks();
    const machine = this.#stateMachine();
    const mirror = new KeyValueMirror(
      (change) => watches.changed(change),
      (what) => run.report("linearizability", what),
    );
    // A store of your own may answer as it likes.
    const { workload, stateMachine } = this.#options;
    const { plan } = this.#faults;
    const followed = workload === undefined && stateMachine === undefined && machine instanceof KeyValue
      ? mirror.follow(machine)
      : machine;
    const reference = withSessions(requestMachine(followed), plan);
    await this.#history.checkAnswers(run, 0, reference, null);
    await this.#application.replay(reference, async (index, reply) => {
      const given = reply === null ? null : answerOf(reply, index, plan);
      // A retry is answered as of where the command was carried out.
      if (given !== null && given.index !== index) run.trace.count("session retry");
      await this.#history.checkAnswers(run, index, reference, given?.answer ?? null);
    });
    if (workload === undefined) {
      for (const { client, asked: { text } } of misread(this.#history.records)) {
        run.report("outcomes are true", `the client of ${client} did not pass on what answers "${text}"`);
      }
    }
    watches.check(run, this.#faults.clients.watchers.watches);
    await this.#compareStates(reference);
    if (run.violation === null) this.#search();
  }

  /** Checks that every node that has applied all of the log has the state that follows from the log. */
  async #compareStates(reference: StateMachine): Promise<void> {
    const expected = await checksumOf(reference.snapshot());
    for (const { name, node, stateMachine } of this.#faults.cluster.all) {
      if (stateMachine === null || node!.inspect().appliedIndex < this.#protocol.entries.commitIndex) continue;
      this.#run.trace.count("state compared");
      if (await checksumOf(stateMachine.snapshot()) === expected) continue;
      this.#run.report(
        "state machine safety",
        `${name} has applied all of the log, but its state does not follow from it`,
      );
    }
  }

  /** Checks the same as {@linkcode History.checkOrder}, but without the log. */
  #search(): void {
    const { seed, workload, search = seed % 8 === 0 } = this.#options;
    if (!search || workload !== undefined) return;
    const run = this.#run;
    const found = checkLinearizable(keyValueModel, keyValueHistory(this.#history.records), { maxSteps: 200_000 });
    run.trace.count(`search: ${found.verdict}`);
    if (found.verdict !== "violation") return;
    const { client, input } = found.wrong;
    for (const operation of found.smallest) run.trace.describe("history", JSON.stringify(operation));
    run.report("linearizability", `no order explains the answer to ${client}: ${JSON.stringify(input)}`);
  }

  #result(): SimulationResult {
    const { scheduler, trace, violation, decisions } = this.#run;
    return {
      seed: this.#options.seed,
      verdict: violation === null ? "passed" : "failed",
      violation,
      traceHash: trace.hash,
      steps: scheduler.steps,
      virtualMs: scheduler.nowMs,
      commits: this.#protocol.entries.commitIndex,
      counts: trace.counts,
      decisions: decisions.made,
      story: trace.story ?? [],
    };
  }
}
