/**
 * The network between clients and nodes: a call may be lost in either direction,
 * arrive late, or find no process; it never arrives twice, but its client may retry.
 */

import type { CallOptions, ClientTransport, ProposeOutcome } from "../../lib/client/mod.ts";
import { DirectClientTransport } from "../../lib/client/mod.ts";
import { RaftError } from "../../lib/errors.ts";
import type { Consistency, NodeStatus, ReadResult } from "../../lib/node/types.ts";
import type { RaftNode } from "../../lib/node/mod.ts";
import type { Server } from "../checks/history.ts";
import type { ServedCalls } from "../checks/served_calls.ts";
import { requestWithoutSession } from "../machine/checked_state_machine.ts";
import type { Machine } from "../machine/machine.ts";
import type { Process } from "../machine/process.ts";
import type { Network } from "../network.ts";
import type { Plan } from "../plan.ts";
import type { Run } from "../run.ts";
import type { Stream } from "../decisions.ts";

const LATE_MS = 3000;

/** The endpoint of a client that is connected with any node, as through a balancer of the load: another one for each call. */
export const ANY_NODE = "any";
/** The share of such calls that go to a node which may be no member, or be down. */
const ASTRAY = 0.2;

/** The error of an abandoned call; created only once, because that is slow. */
const GIVEN_UP = new RaftError("aborted", "the client has given up", { outcome: "unknown" });

/** The execution of a call at a node. */
type Serve<T> = (
  transport: ClientTransport,
  endpoint: string,
  signal: AbortSignal,
  server: Server,
) => Promise<T>;

/** A call that arrives at a machine. */
interface Arrival<T> {
  readonly machine: Machine;
  /** The address that was called. */
  readonly endpoint: string;
  /** The call in words. */
  readonly what: string;
  /** Fires when the client has given up; `undefined` if the node is not told. */
  readonly signal: AbortSignal | undefined;
  readonly serve: Serve<T>;
}

/** The parts of a run that a call passes through. */
export interface CallPath {
  readonly run: Run;
  readonly plan: Plan;
  readonly machines: ReadonlyMap<string, Machine>;
  readonly network: Network;
  readonly served: ServedCalls;
}

/** The probability that a node is not told that its caller has given up, as over a connection that is half open. */
const ABANDONED = 0.1;

export class CallNetwork implements ClientTransport {
  readonly #path: CallPath;
  readonly #client: string;
  /** The process that gave an answer to a query, by the answer. */
  readonly #servers = new WeakMap<ReadResult, Server>();

  constructor(path: CallPath, client: string) {
    this.#path = path;
    this.#client = client;
  }

  propose(
    endpoint: string,
    commands: readonly Uint8Array[],
    options: CallOptions = {},
  ): Promise<readonly ProposeOutcome[]> {
    const { signal } = options;
    return this.#call("a proposal", endpoint, signal, async (node, at, signal) => {
      const outcomes = await node.propose(at, commands, { signal });
      for (const [at, outcome] of outcomes.entries()) {
        if (!outcome.ok && outcome.error.code === "aborted") this.#aborted(commands[at]!, outcome.error);
      }
      return outcomes;
    });
  }

  read(
    endpoint: string,
    query: Uint8Array,
    options: CallOptions & { readonly consistency?: Consistency } = {},
  ): Promise<ReadResult> {
    const { signal, ...rest } = options;
    return this.#call(`a ${rest.consistency} read`, endpoint, signal, async (node, at, signal, server) => {
      const answer = await node.read(at, query, { ...rest, signal }).catch((error: RaftError) => {
        this.#path.run.require(
          error.outcome === "rejected",
          "outcomes are true",
          () => `a read at ${at} has no effect, and its outcome is ${error.outcome}`,
        );
        throw error;
      });
      // Another process may have answered what was forwarded.
      if (rest.consistency === "stale" || this.#path.plan.forwarding === null) this.#servers.set(answer, server);
      return answer;
    });
  }

  /** Notes a command that a node aborted without an effect, as it says: its client, which has given up, does not send it again. */
  #aborted(command: Uint8Array, { outcome }: RaftError): void {
    const { plan, served } = this.#path;
    // One of a session may already be on its way again.
    const request = outcome === "rejected" ? requestWithoutSession(command, plan) : null;
    if (request !== null) served.withoutEffect.push(request);
  }

  /** Returns the process that gave an answer to a query. */
  serverOf(answer: ReadResult): Server | null {
    return this.#servers.get(answer) ?? null;
  }

  status(endpoint: string, options: CallOptions = {}): Promise<NodeStatus> {
    return this.#call("a status", endpoint, options.signal, (node, at) => node.status(at));
  }

  #call<T>(what: string, called: string, signal: AbortSignal | undefined, serve: Serve<T>): Promise<T> {
    const { run: { scheduler, trace, decisions, calm }, machines, network, plan } = this.#path;
    const chance = decisions.stream(`call ${this.#client}>${called}`).next();
    const endpoint = called === ANY_NODE ? this.#anyNode(chance) : called;
    // A call to an address where no machine is takes as long as one that is lost.
    const name = network.machineAt(endpoint) ?? endpoint;
    const { lostCall, lateCall } = calm ? { lostCall: 0, lateCall: 0 } : plan.clients;
    let delayUs = network.delayUs(this.#client, name, chance);
    const backUs = network.delayUs(name, this.#client, chance);
    const lost = chance.strikes("lostCall", lostCall);
    const answerLost = chance.strikes("lostAnswer", lostCall);
    if (lost || answerLost) trace.count("lostCall");
    if (chance.strikes("lateCall", lateCall)) {
      // By then the client may have asked another node.
      delayUs += chance.below(LATE_MS * 1000);
      trace.count("lateCall");
    }
    const abandoned = chance.chance(ABANDONED);
    return new Promise((resolve, reject) => {
      const machine = machines.get(name);
      if (lost || machine === undefined || network.machineAt(endpoint) === null) return;
      const answer = (settle: () => void): void => {
        if (!answerLost) scheduler.after(backUs, null, settle);
      };
      const arrived = { machine, endpoint, what, signal: abandoned ? undefined : signal, serve };
      scheduler.after(delayUs, machine, () => this.#arrive(arrived, answer, resolve, reject));
    });
  }

  /** Returns the address of some node; mostly of one that is up and belongs to the cluster, and always so once the faults are over. */
  #anyNode(chance: Stream): string {
    const { run, machines } = this.#path;
    const all = [...machines.values()];
    const isReady = ({ node, down }: Machine): boolean => {
      const status = down ? undefined : node?.status();
      return status !== undefined && status.clusterId !== "" && !status.removed;
    };
    const ready = all.filter(isReady);
    return chance.pick(chance.chance(ASTRAY) && !run.calm || ready.length === 0 ? all : ready)!.address;
  }

  /** Delivers the call. `answer` carries an outcome back. */
  #arrive<T>(
    { machine, endpoint, what, signal, serve }: Arrival<T>,
    answer: (settle: () => void) => void,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ): void {
    const { network, served } = this.#path;
    if (!network.reaches(this.#client, machine.name)) return;
    const { process, node } = machine;
    if (process === null || node === null) {
      return answer(() => reject(new RaftError("unreachable", `no process listens at ${machine.name}`)));
    }
    process.receive(() => {
      const back = (settle: () => void): void => {
        machine.requireAlive(process);
        process.perform(() => {
          if (network.reaches(machine.name, this.#client)) answer(settle);
        });
      };
      const reached = machine.server?.client ?? reach(endpoint, node);
      const call = serve(reached, endpoint, this.#giveUp(signal, machine, process), process);
      served.serve(machine.name, process, what, call).then(
        (value) => back(() => resolve(value)),
        (error) => back(() => reject(error)),
      );
    });
  }

  /** Returns the node's signal, which fires shortly after the client has given up, if the process still runs. */
  #giveUp(signal: AbortSignal | undefined, machine: Machine, process: Process): AbortSignal {
    const controller = new AbortController();
    signal?.addEventListener("abort", () => {
      this.#path.run.scheduler.after(1000, machine, () => process.receive(() => controller.abort(GIVEN_UP)));
    }, { once: true });
    return controller.signal;
  }
}

function reach(endpoint: string, node: RaftNode): ClientTransport {
  return new DirectClientTransport(new Map([[endpoint, node]]));
}
