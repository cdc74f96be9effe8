/**
 * The network between clients and nodes: a call may be lost in either direction,
 * arrive late, or find no process; it never arrives twice, but its client may retry.
 */

import type { CallOptions, ClientTransport, ProposeOutcome } from "../../lib/client/mod.ts";
import { DirectClientTransport } from "../../lib/client/mod.ts";
import { RaftError } from "../../lib/errors.ts";
import type { Consistency, NodeStatus, ReadResult } from "../../lib/node/types.ts";
import type { RaftNode } from "../../lib/node/mod.ts";
import type { Machine } from "../machine/machine.ts";
import type { Process } from "../machine/process.ts";
import type { Network } from "../network.ts";
import type { Plan } from "../plan.ts";
import type { Run } from "../run.ts";

const LATE_MS = 3000;

/** The error of an abandoned call; created only once, because that is slow. */
const GIVEN_UP = new RaftError("aborted", "the client has given up", { outcome: "unknown" });

/** The execution of a call at a node. */
type Serve<T> = (transport: ClientTransport, signal: AbortSignal) => Promise<T>;

/** The parts of a run that a call passes through. */
export interface CallPath {
  readonly run: Run;
  readonly plan: Plan;
  readonly machines: ReadonlyMap<string, Machine>;
  readonly network: Network;
}

export class CallNetwork implements ClientTransport {
  readonly #path: CallPath;
  readonly #client: string;

  constructor(path: CallPath, client: string) {
    this.#path = path;
    this.#client = client;
  }

  propose(
    endpoint: string,
    commands: readonly Uint8Array[],
    options: CallOptions = {},
  ): Promise<readonly ProposeOutcome[]> {
    return this.#call(endpoint, options.signal, (node, signal) => node.propose(endpoint, commands, { signal }));
  }

  read(
    endpoint: string,
    query: Uint8Array,
    options: CallOptions & { readonly consistency?: Consistency } = {},
  ): Promise<ReadResult> {
    const { signal, ...rest } = options;
    return this.#call(endpoint, signal, (node, signal) => node.read(endpoint, query, { ...rest, signal }));
  }

  status(endpoint: string, options: CallOptions = {}): Promise<NodeStatus> {
    return this.#call(endpoint, options.signal, (node) => node.status(endpoint));
  }

  #call<T>(endpoint: string, signal: AbortSignal | undefined, serve: Serve<T>): Promise<T> {
    const { run: { scheduler, trace, decisions, calm }, machines, network, plan } = this.#path;
    const chance = decisions.stream(`call ${this.#client}>${endpoint}`).next();
    const { lostCall, lateCall } = calm ? { lostCall: 0, lateCall: 0 } : plan.clients;
    let delayUs = network.delayUs(this.#client, endpoint, chance);
    const backUs = network.delayUs(endpoint, this.#client, chance);
    const lost = chance.strikes("lostCall", lostCall);
    const answerLost = chance.strikes("lostAnswer", lostCall);
    if (lost || answerLost) trace.count("lostCall");
    if (chance.strikes("lateCall", lateCall)) {
      // By then the client may have asked another node.
      delayUs += chance.below(LATE_MS * 1000);
      trace.count("lateCall");
    }
    return new Promise((resolve, reject) => {
      const machine = machines.get(endpoint);
      if (lost || machine === undefined) return;
      const answer = (settle: () => void): void => {
        if (!answerLost) scheduler.after(backUs, null, settle);
      };
      scheduler.after(delayUs, machine, () => this.#arrive(machine, signal, serve, answer, resolve, reject));
    });
  }

  /** Delivers the call. `answer` carries an outcome back. */
  #arrive<T>(
    machine: Machine,
    signal: AbortSignal | undefined,
    serve: Serve<T>,
    answer: (settle: () => void) => void,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ): void {
    const { network } = this.#path;
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
      serve(reach(machine.name, node), this.#giveUp(signal, machine, process)).then(
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
