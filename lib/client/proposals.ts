/**
 * The proposals of a client: waiting, under way, and to be sent again.
 */

import type { Cancel, Host } from "../clock.ts";
import { isRetryable, RaftError } from "../errors.ts";
import { encodeRegister } from "../sessions/session_codec.ts";
import { Backoff } from "../backoff.ts";
import { attempt } from "./attempts.ts";
import type { ClientTransport, ProposeOutcome } from "./client_transport.ts";
import type { LeaderFinder } from "./leader_finder.ts";
import type { ProposeResult } from "../node/types.ts";
import { Proposal } from "./proposal.ts";
import { ClientSession, type CommandMode, encodeEntry, readReply, replyError } from "./session_user.ts";

/** Options of {@linkcode Proposals}. */
export interface ProposalsOptions {
  readonly transport: ClientTransport;
  readonly host: Host;
  readonly finder: LeaderFinder;
  readonly mode: CommandMode;
  readonly attemptTimeoutMs: number;
  readonly maxBatchCommands: number;
  readonly maxBatchBytes: number;
  readonly maxInflightCalls: number;
  readonly maxQueuedBytes: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** Fires when the client is closed. */
  readonly signal: AbortSignal;
}

/** The commands under way in a client. Each number is zero when it is idle. */
export interface ProposalsInFlight {
  /** The commands that have no outcome yet. */
  readonly proposals: number;
  /** Their bytes. */
  readonly proposalBytes: number;
  /** The calls that carry them. */
  readonly calls: number;
  /** The sequences of the session whose outcome is still wanted. */
  readonly outstanding: number;
}

/**
 * The sender of commands to the leader; waiting commands share a call.
 *
 * Invariants: a proposal is in `#queue`, in a call, or settled; all that are not
 * settled are in `#open`. Without a session a command is never sent again once
 * an attempt may have reached a leader.
 */
export class Proposals {
  readonly #options: ProposalsOptions;
  readonly #backoff: Backoff;
  readonly #open = new Set<Proposal>();
  #queue: Proposal[] = [];
  #bytes = 0;
  #session: ClientSession | null = null;
  #callsInFlight = 0;
  #scheduled = false;
  #preparing = false;
  #pause: Cancel | null = null;
  #sweep: { readonly atMs: number; readonly cancel: Cancel } | null = null;

  constructor(options: ProposalsOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.host, options.minBackoffMs, options.maxBackoffMs);
    options.signal.addEventListener("abort", () => this.#close());
  }

  /** See {@linkcode ProposalsInFlight}. */
  get inFlight(): ProposalsInFlight {
    return {
      proposals: this.#open.size,
      proposalBytes: this.#bytes,
      calls: this.#callsInFlight,
      outstanding: this.#session?.outstanding ?? 0,
    };
  }

  /** Adds a command. See Coordinator.propose. */
  propose(command: Uint8Array, timeoutMs: number, signal: AbortSignal | undefined): Promise<ProposeResult> {
    if (this.#bytes + command.length > this.#options.maxQueuedBytes && this.#open.size > 0) {
      return Promise.reject(new RaftError("busy", "too many bytes wait to be proposed", { hint: "Wait for some." }));
    }
    const deadlineMs = this.#options.host.clock.monotonicMs() + timeoutMs;
    const proposal = new Proposal(command, timeoutMs, deadlineMs, signal, (settled) => {
      this.#open.delete(settled);
      this.#bytes -= settled.command.length;
      // Commands that no longer wait for an answer make room in the session.
      if (this.#queue.length > 0) this.#schedule();
    });
    if (proposal.settled) return proposal.promise;
    this.#open.add(proposal);
    this.#bytes += command.length;
    this.#queue.push(proposal);
    this.#sweepBy(deadlineMs);
    this.#schedule();
    return proposal.promise;
  }

  /** Sends soon, so that commands proposed in the same turn share a call. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.host.enqueue(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  /** Starts as many calls as may be under way. */
  #pump(): void {
    const { finder, mode, maxInflightCalls, signal } = this.#options;
    while (this.#callsInFlight < maxInflightCalls && this.#pause === null && !signal.aborted) {
      this.#queue = this.#queue.filter((proposal) => !proposal.settled);
      if (this.#queue.length === 0) return;
      const leader = finder.leader;
      if (leader === null || (mode === "session" && this.#session === null)) {
        void this.#prepare();
        return;
      }
      const batch = this.#takeBatch();
      if (batch.length === 0) return;
      void this.#send(leader, batch);
    }
  }

  /** Finds the leader, and makes a session if one is needed. */
  async #prepare(): Promise<void> {
    if (this.#preparing) return;
    this.#preparing = true;
    const { finder, mode } = this.#options;
    try {
      const leader = await finder.find();
      if (mode === "session" && this.#session === null) await this.#register(leader);
      this.#succeeded();
    } catch (thrown) {
      const error = RaftError.from(thrown, "unreachable");
      // Neither a search nor a registration executes a command.
      const retryable = isRetryable(error, true);
      for (const proposal of this.#queue) {
        if (retryable) proposal.failed(error);
        else proposal.reject(error.withOutcome(proposal.maybeApplied ? "unknown" : "rejected"));
      }
      if (retryable) this.#waitABit();
    } finally {
      this.#preparing = false;
      this.#schedule();
    }
  }

  /** Makes a session. One whose answer is lost stays unused in the cluster until it ends there. */
  async #register(leader: string): Promise<void> {
    const { host, transport, finder, attemptTimeoutMs, signal } = this.#options;
    try {
      const results = await attempt(
        host,
        attemptTimeoutMs,
        [signal],
        (signal) => transport.propose(leader, [encodeRegister()], { signal }),
      );
      const result = results[0] ?? missingResult;
      if (!result.ok) throw result.error;
      const reply = readReply(result.result);
      if (reply.type === "applied") throw new RaftError("internal", "a session was asked for, a command answered");
      if (reply.type !== "registered") throw replyError(reply);
      this.#session = new ClientSession(reply.session, reply.maxOutstanding);
    } catch (thrown) {
      const error = RaftError.from(thrown, "unreachable");
      finder.failed(leader, error);
      throw error;
    }
  }

  /** Removes the commands of the next call from the queue. */
  #takeBatch(): Proposal[] {
    const { maxBatchCommands, maxBatchBytes } = this.#options;
    const session = this.#session;
    let bytes = 0;
    let count = 0;
    for (const proposal of this.#queue) {
      bytes += proposal.command.length;
      if (count === maxBatchCommands || (count > 0 && bytes > maxBatchBytes)) break;
      if (proposal.ticket === null && session !== null) {
        if (!session.hasRoom) break;
        proposal.ticket = { session, sequence: session.take() };
      }
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #send(leader: string, batch: readonly Proposal[]): Promise<void> {
    const { host, transport, finder, mode, attemptTimeoutMs } = this.#options;
    const call = new AbortController();
    // The call's answer is no longer needed once all its proposals have given up.
    let waiting = batch.length;
    for (const proposal of batch) proposal.sent(() => --waiting === 0 && call.abort());
    this.#callsInFlight++;
    let counted = true;
    const release = (): void => {
      if (counted) this.#callsInFlight--;
      counted = false;
    };
    // Without a session an answer is worth waiting for to the end, but not with the others behind it.
    const cancelRelease = mode === "session" ? () => {} : host.clock.setTimer(attemptTimeoutMs, () => {
      release();
      finder.failed(leader, new RaftError("timeout", `no answer within ${attemptTimeoutMs} ms`));
      this.#schedule();
    });
    let results: readonly ProposeOutcome[];
    try {
      const entries = batch.map((proposal) => encodeEntry(mode, proposal.command, proposal.ticket));
      results = await attempt(
        host,
        mode === "session" ? attemptTimeoutMs : NEVER_MS,
        [call.signal],
        (signal) => transport.propose(leader, entries, { signal }),
      );
    } catch (thrown) {
      const error = RaftError.from(thrown, "unreachable");
      results = batch.map(() => ({ ok: false, error }));
    }
    cancelRelease();
    release();
    this.#take(leader, batch, results);
    this.#schedule();
  }

  /** Settles proposals with an outcome, and queues the others again. */
  #take(leader: string, batch: readonly Proposal[], results: readonly ProposeOutcome[]): void {
    const again: Proposal[] = [];
    let failure: RaftError | null = null;
    for (const [at, proposal] of batch.entries()) {
      proposal.back();
      if (proposal.settled) continue;
      const error = this.#takeResult(proposal, results[at] ?? missingResult);
      if (error === null) continue;
      again.push(proposal);
      failure ??= error;
    }
    const first = results.find((result) => !result.ok)?.error ?? null;
    failure ??= isRetryable(first, true) ? first : null;
    this.#queue.unshift(...again);
    if (failure === null || failure.code === "session_expired") return this.#succeeded();
    if (!this.#options.finder.failed(leader, failure)) this.#waitABit();
  }

  /** Settles a proposal by its answer; or returns the error for which it has to be sent again. */
  #takeResult(proposal: Proposal, result: ProposeOutcome): RaftError | null {
    const { mode } = this.#options;
    let error: RaftError;
    if (result.ok) {
      if (mode === "raw") return proposal.resolve({ index: result.index, result: result.result });
      try {
        const reply = readReply(result.result);
        if (reply.type === "applied") return proposal.resolve({ index: reply.index, result: reply.result });
        error = replyError(reply);
      } catch (thrown) {
        error = RaftError.from(thrown, "unreachable");
      }
      if (error.code === "session_expired") return this.#sessionExpired(proposal, error);
    } else {
      error = result.error;
    }
    if (error.outcome === "unknown") proposal.maybeApplied = true;
    proposal.failed(error);
    const known = error.withOutcome(proposal.maybeApplied ? "unknown" : "rejected");
    return isRetryable(known, mode === "session") ? known : proposal.reject(known);
  }

  /** This attempt did nothing; so if no earlier one can have, the command may go into another session. */
  #sessionExpired(proposal: Proposal, error: RaftError): RaftError | null {
    if (this.#session === proposal.ticket?.session) this.#session = null;
    if (proposal.maybeApplied) return proposal.reject(error);
    proposal.ticket = null;
    return error;
  }

  #succeeded(): void {
    this.#backoff.reset();
    this.#options.finder.succeeded();
  }

  #waitABit(): void {
    if (this.#pause !== null || this.#options.signal.aborted) return;
    this.#pause = this.#options.host.clock.setTimer(this.#backoff.nextMs(), () => {
      this.#pause = null;
      this.#schedule();
    });
  }

  /** Sets the one timer that checks deadlines, to this time or earlier. */
  #sweepBy(atMs: number): void {
    if (this.#sweep !== null && this.#sweep.atMs <= atMs) return;
    this.#sweep?.cancel();
    const { clock } = this.#options.host;
    const cancel = clock.setTimer(atMs - clock.monotonicMs(), () => {
      this.#sweep = null;
      const now = clock.monotonicMs();
      let next = Infinity;
      for (const proposal of this.#open) {
        if (proposal.deadlineMs <= now) proposal.timedOut();
        else next = Math.min(next, proposal.deadlineMs);
      }
      if (next !== Infinity) this.#sweepBy(next);
    });
    this.#sweep = { atMs, cancel };
  }

  #close(): void {
    this.#sweep?.cancel();
    this.#pause?.();
    for (const proposal of this.#open) proposal.closed();
    this.#queue = [];
  }
}

/** A call without a session ends with its proposals' deadlines. The longest that a timer can wait. */
const NEVER_MS = 2 ** 31 - 1;

const missingResult: ProposeOutcome = {
  ok: false,
  error: new RaftError("internal", "the node gave fewer answers than it got commands", { outcome: "unknown" }),
};
