/**
 * Clients, which use the real Coordinator: each sends a request, waits for the
 * outcome, pauses, and sends the next. Their history is kept.
 */

import { Coordinator } from "../../lib/client/mod.ts";
import type { Host } from "../../lib/clock.ts";
import { crc32c } from "../../lib/crc32c.ts";
import { RaftError } from "../../lib/errors.ts";
import type { ApplicationChecks } from "../checks/application_checks.ts";
import { leftAtClient } from "../checks/idle_checks.ts";
import type { ServedCalls } from "../checks/served_calls.ts";
import type { History, HistoryRecord } from "../checks/history.ts";
import { Process } from "../machine/process.ts";
import { MachineClock } from "../machine/clock.ts";
import { encodeRequest } from "../machine/checked_state_machine.ts";
import type { CallPath } from "./call_network.ts";
import { ANY_NODE, CallNetwork } from "./call_network.ts";
import { Watchers } from "./watchers.ts";
import { bulkWrite } from "./key_value_workload.ts";
import { drawManner } from "./manner.ts";
import type { Manner } from "./manner.ts";
import type { BulkTraits } from "../plan.ts";
import type { Request, RequestCluster, SendOptions, Workload } from "./workload.ts";

export interface ClientsOptions extends CallPath {
  readonly workload: Workload;
  readonly history: History;
  readonly application: ApplicationChecks;
  /** Set if the state machine is the key-value store, whose changes can be watched. */
  readonly mayWatch: boolean;
}

/** A client, with what the checks of liveness know of it. */
export interface Client {
  readonly name: string;
  /** The only node that it asks; `null` if it asks any. */
  readonly only: string | null;
  /** Set if each of its calls goes to another node, which forwards it. */
  readonly isBalanced: boolean;
  readonly coordinator: Coordinator;
  readonly calls: CallNetwork;
  readonly host: Host;
  /** The number of its requests that were answered, without stale reads, which need no quorum. */
  done: number;
  /** The time since which it could be served; `null` if it can't be. */
  servableUs: number | null;
  /** The requests of each type that began after that, and got no answer in time. */
  readonly unanswered: Record<Request["type"], Unanswered>;
}

/** Requests in a row without an answer. Those under way at the same time are one: the same loss may have met them. */
export interface Unanswered {
  readonly number: number;
  /** The end of the last one. */
  readonly endUs: number;
}

const ALL_ANSWERED: Unanswered = { number: 0, endUs: 0 };

/** The error of an aborted request; created only once, because that is slow. */
const GIVEN_UP = new Error("the user has given up");

/** The client that fills the state in runs with a large one. */
const LOADER = "loader";

/** The number of writes after which the state is large enough. */
const BULK_WRITES = 4000;

/** Forgets the requests without an answer, for instance because the client could not be served. */
export function forgetUnanswered(client: Client): void {
  client.unanswered.command = client.unanswered.query = ALL_ANSWERED;
}

/** The kind of a client. */
interface Kind {
  /** The only node that it asks. @default it asks any */
  readonly only?: string;
  /** Set for one that watches changes. @default false */
  readonly watches?: boolean;
}

/** Returns the endpoints that a client is given. */
function endpointsOf({ run, machines }: ClientsOptions, { only, watches }: Kind): string[] | (() => string[]) {
  // A client of one machine follows it to another address; the others learn addresses from the members.
  if (only !== undefined) return () => [machines.get(only)!.address];
  if (watches !== true) return [...machines.keys()];
  // One that watches asks so seldom that all may have moved in the meantime; in the end it is told.
  return () => [...machines.keys(), ...(run.calm ? [...machines.values()].map(({ address }) => address) : [])];
}

/** Makes a client. */
function newClient(options: ClientsOptions, name: string, kind: Kind = {}): Client {
  const { only } = kind;
  const { run: { decisions, scheduler }, plan, network } = options;
  const { timeoutMs, attemptTimeoutMs } = plan.clients;
  const clock = new MachineClock(() => scheduler.nowUs, 1, 0);
  const calls = new CallNetwork(options, name);
  const host = new Process(options.run, { name }, clock, decisions.stream(`host ${name}`));
  const share = only === undefined ? plan.forwarding?.clients ?? 0 : 0;
  const isBalanced = share > 0 && decisions.stream(`balance ${name}`).chance(share);
  const coordinator = new Coordinator({
    endpoints: isBalanced ? [ANY_NODE] : endpointsOf(options, kind),
    endpointOf: (address) =>
      isBalanced ? ANY_NODE : only === undefined || network.machineAt(address) === only ? address : null,
    transport: calls,
    host,
    raw: plan.raw,
    // Without a session, a command is sent at most once.
    session: !decisions.stream(`client ${name}`).chance(isBalanced ? 0.5 : 0.2),
    timeoutMs,
    attemptTimeoutMs,
    maxBackoffMs: Math.max(20, attemptTimeoutMs),
    ...plan.coordinator,
  });
  return {
    name,
    only: only ?? null,
    isBalanced,
    coordinator,
    calls,
    host,
    done: 0,
    servableUs: null,
    unanswered: { command: ALL_ANSWERED, query: ALL_ANSWERED },
  };
}

export class Clients {
  readonly #options: ClientsOptions;
  readonly #clients = new Map<string, Client>();
  /** Clients that watch changes. */
  readonly #watching: readonly Client[];
  readonly watchers: Watchers;
  readonly #running: Promise<void>[] = [];
  #stopped = false;

  constructor(options: ClientsOptions) {
    this.#options = options;
    const { machines, plan: { clients: { count, loyal }, voters, bulk } } = options;
    const add = (name: string, only?: string) =>
      this.#clients.set(name, newClient(options, name, only === undefined ? {} : { only }));
    for (let i = 1; i <= count; i++) add(`c${i}`);
    if (bulk !== null) add(LOADER);
    for (const node of loyal ? [...machines.keys()].slice(0, voters) : []) add(`of-${node}`, node);
    const watching = options.mayWatch ? options.run.decisions.stream("plan watchers").pick([0, 0, 1, 2])! : 0;
    this.#watching = Array.from({ length: watching }, (_, at) => newClient(options, `w${at + 1}`, { watches: true }));
    this.watchers = new Watchers(options);
  }

  /** Their names in the network. */
  get names(): string[] {
    return [...this.#clients.keys(), ...this.#watching.map(({ name }) => name)];
  }

  /** The calls that nodes are serving. */
  get served(): ServedCalls {
    return this.#options.served;
  }

  /** All clients. */
  get all(): Client[] {
    return [...this.#clients.values()];
  }

  /** The number of requests that were answered to all. */
  get done(): number {
    return this.all.reduce((sum, { done }) => sum + done, 0);
  }

  start(): void {
    for (const client of this.#watching) this.watchers.start(client.name, client);
    for (const name of this.#clients.keys()) {
      if (name === LOADER) {
        this.#running.push(this.#load(this.#options.plan.bulk!));
        continue;
      }
      const chance = this.#options.run.decisions.stream(`client ${name}`);
      for (let lane = chance.between(1, this.#options.plan.clients.lanes); lane > 0; lane--) {
        this.#running.push(this.#ask(name, `${name}.${lane}`));
      }
    }
  }

  /** Stops sending requests; resolves once all requests have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
    await this.watchers.stop();
    // A call that was given up ends in a moment.
    await this.#options.run.scheduler.sleep(1000);
    const left = this.all.map(leftAtClient).find((left) => left !== null);
    if (left !== undefined) this.#options.run.report("nothing leaks", left);
    await Promise.all([...this.#clients.values(), ...this.#watching].map(({ coordinator }) => coordinator.close()));
  }

  /** Sends requests one after the other. Their names follow from the lane alone, so that leaving one out changes no other. */
  async #ask(client: string, lane: string): Promise<void> {
    const { run, plan, workload } = this.#options;
    const chance = run.decisions.stream(`client ${lane}`);
    const manners = run.decisions.stream(`manner ${lane}`);
    for (let number = 1; !this.#stopped; number++) {
      chance.next();
      const manner = drawManner(manners.next(), plan);
      await run.scheduler.sleep(1000 + chance.below(2000 * plan.clients.thinkMs));
      if (this.#stopped) return;
      const name = `${lane}/${number}`;
      const request = workload.next(client, name, chance);
      // In recovery, which is measured by requests, none is left out.
      if (run.calm || chance.strikes("request", 1)) await this.#carryOut(client, request, name, manner);
    }
  }

  /** Fills the state by bursts of writes, one after the other; later, it is a client like any other. */
  async #load({ burst, ...traits }: BulkTraits): Promise<void> {
    const { run, plan } = this.#options;
    const chance = run.decisions.stream(`client ${LOADER}`);
    const manner: Manner = { timeoutMs: plan.clients.timeoutMs, abortMs: null, consistency: "linearizable" };
    let left = BULK_WRITES;
    for (let number = 1; !this.#stopped; number++) {
      chance.next();
      await run.scheduler.sleep(1000 + chance.below(2000 * plan.clients.thinkMs));
      if (this.#stopped || !(run.calm || chance.strikes("burst", 1))) continue;
      const count = run.calm || left <= 0 ? 1 : chance.between(1, burst);
      const names = Array.from({ length: count }, (_, at) => `${LOADER}/${number}.${at}`);
      left -= count;
      run.trace.count("bulk write", count);
      await Promise.all(names.map((name) => this.#carryOut(LOADER, bulkWrite(traits, name, chance), name, manner)));
    }
  }

  async #carryOut(name: string, asked: Request, request: string, manner: Manner): Promise<void> {
    const { run, workload, history } = this.#options;
    const { type, bytes, text } = asked;
    const { timeoutMs, abortMs, consistency } = manner;
    const { nowUs } = run.scheduler;
    const dueUs = nowUs + 1000 * Math.min(timeoutMs, abortMs ?? Infinity);
    const record = history.begin({ client: name, request, asked, callUs: nowUs, dueUs, consistency });
    const mark = crc32c(encodeRequest(request, bytes));
    run.trace.mark("asked", mark);
    try {
      await this.#send(record, manner);
      record.outcome = "done";
      const client = this.#clients.get(name)!;
      if (consistency !== "stale" || type === "command") {
        client.done++;
        client.unanswered[type] = ALL_ANSWERED;
      }
      workload.answered?.(name, asked, record.answer!);
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
      record.outcome = error.outcome;
      this.#failed(record, manner, error);
      run.trace.count(`error: ${error.code}`);
      run.trace.describe(name, () => `"${text}" ends as ${error.outcome}: ${error.code}`);
      if (error.code === "internal") run.report("no unexplained stop", `${name} received: ${error.message}`);
    }
    history.end(record, run.scheduler.nowUs);
    run.trace.count(`${type === "query" ? `${consistency} ` : ""}${type} ${record.outcome}`);
    run.trace.mark("answered", mark, record.position);
    if (record.outcome === "done") run.trace.describe(name, () => `"${text}" is done at ${record.position}`);
  }

  /** Notes a request that its client waited for in vain, although it could be served. */
  #failed(
    { client: name, asked: { type }, callUs }: HistoryRecord,
    { timeoutMs, abortMs }: Manner,
    { code }: RaftError,
  ): void {
    const client = this.#clients.get(name)!;
    const { number, endUs } = client.unanswered[type];
    const isPatient = abortMs === null && timeoutMs === this.#options.plan.clients.timeoutMs;
    if (code !== "timeout" || !isPatient || callUs < Math.max(client.servableUs ?? Infinity, endUs)) return;
    client.unanswered[type] = { number: number + 1, endUs: this.#options.run.scheduler.nowUs };
  }

  async #send(record: HistoryRecord, { timeoutMs, abortMs, consistency }: Manner): Promise<void> {
    const { workload, run } = this.#options;
    const { asked } = record;
    const cluster = this.#clusterOf(record);
    const controller = new AbortController();
    const cancel = abortMs === null
      ? () => {}
      : run.scheduler.after(abortMs * 1000, null, () => controller.abort(GIVEN_UP));
    const isQuery = asked.type === "query";
    const options: SendOptions = {
      timeoutMs,
      ...abortMs === null ? {} : { signal: controller.signal },
      ...isQuery ? { consistency } : {},
    };
    try {
      if (workload.send !== undefined) record.told = await workload.send(asked, cluster, options);
      else await (isQuery ? cluster.read(asked.bytes, options) : cluster.propose(asked.bytes, options));
    } finally {
      cancel();
    }
  }

  /** Returns the cluster for one request, which is recorded. */
  #clusterOf(record: HistoryRecord): RequestCluster {
    const { run, application } = this.#options;
    const { coordinator, calls } = this.#clients.get(record.client)!;
    const { request, asked: { type, bytes, text } } = record;
    const check = (sent: Uint8Array, as: Request["type"]): void => {
      if (type === as && crc32c(sent) === crc32c(bytes)) return;
      run.report("outcomes are true", `${record.client} sent something else than "${text}"`);
    };
    return {
      propose: async (command, options) => {
        check(command, "command");
        const proposed = await coordinator.propose(encodeRequest(request, command), options);
        record.position = proposed.index;
        record.answer = proposed.result;
        return proposed;
      },
      read: async (query, options) => {
        check(query, "query");
        const answer = await coordinator.read(query, options);
        record.position = answer.appliedIndex;
        record.answer = answer.result;
        record.server = calls.serverOf(answer);
        if (!application.isCommitted(answer.appliedIndex)) {
          run.report("linearizability", `${record.client} read ${answer.appliedIndex}, which is not committed`);
        }
        return answer;
      },
    };
  }
}
