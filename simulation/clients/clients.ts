/**
 * Clients, which use the real Coordinator: each sends a request, waits for the
 * outcome, pauses, and sends the next. Their history is kept.
 */

import { Coordinator } from "../../lib/client/mod.ts";
import { crc32c } from "../../lib/crc32c.ts";
import { RaftError } from "../../lib/errors.ts";
import type { History, HistoryRecord } from "../checks/history.ts";
import { Process } from "../machine/process.ts";
import { MachineClock } from "../machine/clock.ts";
import { encodeRequest } from "../machine/checked_state_machine.ts";
import type { CallPath } from "./call_network.ts";
import { CallNetwork } from "./call_network.ts";
import type { Request, Workload } from "./workload.ts";

export interface ClientsOptions extends CallPath {
  readonly workload: Workload;
  readonly history: History;
}

/** Makes a client, which asks any node, or `only` this one. */
function newClient(options: ClientsOptions, name: string, only?: string): Coordinator {
  const { run: { decisions, scheduler }, plan, machines } = options;
  const { timeoutMs, attemptTimeoutMs } = plan.clients;
  const clock = new MachineClock(() => scheduler.nowUs, 1, 0);
  return new Coordinator({
    endpoints: only === undefined ? [...machines.keys()] : [only],
    endpointOf: (address) => only === undefined || address === only ? address : null,
    transport: new CallNetwork(options, name),
    host: new Process(options.run, { name }, clock, decisions.stream(`host ${name}`)),
    // Without a session, a command is sent at most once.
    session: !decisions.stream(`client ${name}`).chance(0.2),
    timeoutMs,
    attemptTimeoutMs,
    maxBackoffMs: Math.max(20, attemptTimeoutMs),
  });
}

export class Clients {
  readonly #options: ClientsOptions;
  readonly #clients = new Map<string, Coordinator>();
  readonly #running: Promise<void>[] = [];
  #stopped = false;
  /** The number of requests that were answered. */
  done = 0;

  constructor(options: ClientsOptions) {
    this.#options = options;
    const { machines, plan: { clients: { count, loyal }, voters } } = options;
    const add = (name: string, only?: string) => this.#clients.set(name, newClient(options, name, only));
    for (let i = 1; i <= count; i++) add(`c${i}`);
    for (const node of loyal ? [...machines.keys()].slice(0, voters) : []) add(`of-${node}`, node);
  }

  /** Their names in the network. */
  get names(): string[] {
    return [...this.#clients.keys()];
  }

  start(): void {
    for (const name of this.names) {
      const chance = this.#options.run.decisions.stream(`client ${name}`);
      for (let lane = chance.between(1, 2); lane > 0; lane--) this.#running.push(this.#ask(name, `${name}.${lane}`));
    }
  }

  /** Stops sending requests; resolves once all requests have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
    await Promise.all([...this.#clients.values()].map((coordinator) => coordinator.close()));
  }

  /** Sends requests one after the other. Their names follow from the lane alone, so that leaving one out changes no other. */
  async #ask(client: string, lane: string): Promise<void> {
    const { run, plan, workload } = this.#options;
    const chance = run.decisions.stream(`client ${lane}`);
    for (let number = 1; !this.#stopped; number++) {
      chance.next();
      await run.scheduler.sleep(1000 + chance.below(2000 * plan.clients.thinkMs));
      if (this.#stopped) return;
      const name = `${lane}/${number}`;
      const request = workload.next(client, name, chance);
      // In recovery, which is measured by requests, none is left out.
      if (run.calm || chance.strikes("request", 1)) await this.#carryOut(client, request, name);
    }
  }

  async #carryOut(name: string, asked: Request, request: string): Promise<void> {
    const { run, workload, history } = this.#options;
    const { type, bytes, text } = asked;
    const record = history.begin({ client: name, request, asked, callUs: run.scheduler.nowUs });
    const mark = crc32c(encodeRequest(request, bytes));
    run.trace.mark("asked", mark);
    try {
      await this.#send(record);
      record.outcome = "done";
      this.done++;
      workload.answered?.(name, asked, record.answer!);
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
      record.outcome = error.outcome;
      run.trace.count(`error: ${error.code}`);
      run.trace.describe(name, () => `"${text}" ends as ${error.outcome}: ${error.code}`);
      if (error.code === "internal") run.report("no unexplained stop", `${name} received: ${error.message}`);
    }
    record.returnUs = run.scheduler.nowUs;
    run.trace.count(`${type} ${record.outcome}`);
    run.trace.mark("answered", mark, record.position);
    if (record.outcome === "done") run.trace.describe(name, () => `"${text}" is done at ${record.position}`);
  }

  async #send(record: HistoryRecord): Promise<void> {
    const coordinator = this.#clients.get(record.client)!;
    const { request, asked: { type, bytes } } = record;
    if (type === "command") {
      const { index, result } = await coordinator.propose(encodeRequest(request, bytes));
      record.position = index;
      record.answer = result;
      return;
    }
    const consistency = this.#options.plan.leaseReads ? "lease" : "linearizable";
    const { appliedIndex, result } = await coordinator.read(bytes, { consistency });
    record.position = appliedIndex;
    record.answer = result;
  }
}
