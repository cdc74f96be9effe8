/**
 * The calls from the server of one node to that of another: each is a connection of its
 * own. It may be lost in either direction, so that neither side learns of it, be reset,
 * arrive late, or find no process.
 */

import type { CallOptions, ClientTransport } from "../../lib/client/mod.ts";
import { RaftError } from "../../lib/errors.ts";
import { Pending } from "../../lib/pending.ts";
import { tabCalls } from "../../transport/packet/methods.ts";
import { clientOver } from "../../transport/wire/client_codec.ts";
import type { ServedCalls } from "../checks/served_calls.ts";
import type { Stream } from "../decisions.ts";
import type { Network } from "../network.ts";
import type { ForwardTraits } from "../plan.ts";
import type { Run } from "../run.ts";
import type { Actor } from "../scheduler.ts";
import type { Process } from "./process.ts";

/** The server of a node, as others call it. */
export interface Answers {
  /**
   * Answers one call.
   *
   * @param forwarded set if another node has forwarded it
   */
  answer(method: string, request: Uint8Array, signal: AbortSignal, forwarded: boolean): Promise<Uint8Array>;
}

/** A machine that may serve calls. */
export interface Served extends Actor {
  /** `null` while it is down. */
  readonly process: Process | null;
  /** `null` while no node runs there. */
  readonly server: Answers | null;
}

/** The parts of a run that these calls pass through. */
export interface PeerPath {
  readonly run: Run;
  readonly traits: ForwardTraits;
  readonly network: Network;
  readonly machines: ReadonlyMap<string, Served>;
  readonly served: ServedCalls;
}

/** The longest delay of a late call, and of a reset after its arrival. */
const LATE_MS = 3000;
const RESET_MS = 20;
/** The probability that a server is not told that its caller has given up, and that the end of a process resets its connections. */
const ABANDONED = 0.1;
const RESETS_AT_END = 0.5;

/** The errors of a server whose caller is gone; created only once, because that is slow. */
const GONE = new RaftError("aborted", "the calling node is gone", { outcome: "unknown" });

/** One call. */
interface Call {
  readonly to: Served;
  readonly method: string;
  readonly request: Uint8Array;
  readonly pending: Pending<Uint8Array>;
  readonly chance: Stream;
  readonly backUs: number;
  readonly answerLost: boolean;
  /** Ends what the other side does for it. */
  readonly ended: AbortController;
  /** The process that it has reached; `null` before. */
  process: Process | null;
}

export class PeerCalls {
  /** Calls nodes by their addresses, as a node that forwards a request does. */
  readonly client: ClientTransport;
  readonly #path: PeerPath;
  readonly #from: Actor;
  readonly #process: Process;

  /** @param from the machine of the process */
  constructor(path: PeerPath, from: Actor, process: Process) {
    this.#path = path;
    this.#from = from;
    this.#process = process;
    const transport = {
      call: (to: string, method: string, request: Uint8Array, options?: CallOptions) =>
        this.#call(to, method, request, options?.signal),
    };
    this.client = clientOver((endpoint, options) => tabCalls(transport, endpoint, options), () => true);
  }

  #call(address: string, method: string, request: Uint8Array, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const { run, traits, network, machines } = this.#path;
    const from = this.#from.name;
    const chance = run.decisions.stream(`forward ${from}>${address}`).next();
    const name = network.machineAt(address) ?? address;
    const strikes = (what: string, probability: number): boolean => {
      if (run.calm || !chance.strikes(what, probability)) return false;
      run.trace.count(what);
      return true;
    };
    let delayUs = network.delayUs(from, name, chance);
    const backUs = network.delayUs(name, from, chance);
    const lost = strikes("lostForward", traits.lost);
    const answerLost = strikes("lostForwardAnswer", traits.lost);
    if (strikes("lateForward", traits.late)) delayUs += chance.below(LATE_MS * 1000);
    const resetUs = strikes("resetForward", traits.resets) ? chance.below(delayUs + 1000 * RESET_MS) : Infinity;
    const isToldOfEnd = !chance.chance(ABANDONED);
    const to = machines.get(name);
    const ended = new AbortController();
    const leave = (): void => {
      if (to === undefined || !isToldOfEnd) return;
      run.scheduler.after(delayUs, to, () => {
        if (!network.reaches(this.#from.name, to.name)) return;
        if (call.process === null) ended.abort(GONE);
        else call.process.receive(() => ended.abort(GONE));
      });
    };
    const pending = new Pending<Uint8Array>({
      signals: [signal],
      onEnd: (givenUp) => givenUp !== null && leave(),
    });
    if (pending.settled) return pending.promise;
    const call: Call = { to: to!, method, request, pending, chance, backUs, answerLost, ended, process: null };
    this.#process.perform(() => {
      if (resetUs < Infinity) run.scheduler.after(resetUs, this.#from, () => this.#reset(pending, leave));
      if (lost || resetUs < delayUs || to === undefined || network.machineAt(address) === null) return;
      run.scheduler.after(delayUs, to, () => this.#arrive(call));
    });
    return pending.promise;
  }

  /** Resets the connection of a call: it may have been served, or be served still. */
  #reset(pending: Pending<Uint8Array>, leave: () => void): void {
    this.#process.receive(() => {
      if (pending.settled) return;
      leave();
      pending.reject(new RaftError("unreachable", "the connection was reset", { outcome: "unknown" }));
    });
  }

  #arrive(call: Call): void {
    const { network, served } = this.#path;
    const { to, method, request, pending, chance, ended } = call;
    if (!network.reaches(this.#from.name, to.name)) return;
    const { process, server } = to;
    if (process === null || server === null) {
      return this.#answer(call, () => {
        pending.reject(new RaftError("unreachable", `no process listens at ${to.name}`, { outcome: "rejected" }));
      });
    }
    call.process = process;
    process.receive(() => {
      if (chance.chance(RESETS_AT_END)) {
        const forget = process.onEnd(() => this.#answer(call, () => this.#reset(pending, () => {})));
        pending.promise.then(forget, forget);
      }
      served.serve(to.name, process, `a forwarded ${method}`, server.answer(method, request, ended.signal, true)).then(
        (bytes) => process.perform(() => this.#answer(call, () => pending.resolve(bytes))),
        (error) => process.perform(() => this.#answer(call, () => pending.reject(error))),
      );
    });
  }

  /** Carries an answer back. */
  #answer({ to, backUs, answerLost }: Call, settle: () => void): void {
    const { run, network } = this.#path;
    if (answerLost || !network.reaches(to.name, this.#from.name)) return;
    run.scheduler.after(backUs, this.#from, () => this.#process.receive(settle));
  }
}
