/**
 * Proposals under way, from the caller to the state machine and back.
 */

import { copyBytes } from "../bytes.ts";
import type { Clock } from "../clock.ts";
import { abortedError } from "../errors.ts";
import type { RaftError } from "../errors.ts";
import type { Raft } from "../raft/mod.ts";
import type { Entry, Refused } from "../raft/types.ts";
import type { NodeConfig } from "./config.ts";
import { busy, leadershipLost } from "./errors.ts";
import type { MakeError } from "./errors.ts";
import type { EventHub } from "./events.ts";
import type { ProposeResult } from "./types.ts";

/** The part of a node's context that proposals need. */
export interface ProposalsContext {
  readonly config: Pick<NodeConfig, "maxUncommittedBytes" | "electionTimeoutMs"> & {
    readonly host: { readonly clock: Pick<Clock, "monotonicMs"> };
  };
  readonly events: Pick<EventHub, "emit">;
}

interface Pending {
  readonly command: Uint8Array;
  readonly startedMs: number;
  readonly resolve: (proposed: Required<ProposeResult>) => void;
  readonly reject: (error: RaftError) => void;
  /** 0 while it is not in the log. */
  index: number;
  term: number;
  settled: boolean;
  /** Removes the proposal from its signal. */
  detach: (() => void) | null;
}

/** The proposals that end with a signal. */
interface Watched {
  readonly pending: Set<Pending>;
  readonly onAbort: () => void;
}

/** The cost of a command beside its bytes, so that empty ones are bounded too. */
const OVERHEAD_BYTES = 64;

/**
 * All proposals of a node. Each ends exactly once: with the state machine's answer,
 * as `rejected` if its command certainly has no effect, or else as `unknown`.
 *
 * A deposed leader usually learns the fate of its last entries within moments: they
 * are applied, or other entries are committed in their place. So their proposals wait
 * (orphaned) for up to one election timeout.
 */
export class Proposals {
  readonly #context: ProposalsContext;
  readonly #queued: Pending[] = [];
  readonly #logged = new Map<number, Pending>();
  readonly #watched = new Map<AbortSignal, Watched>();
  readonly #orphans: Pending[] = [];
  #orphansUntilMs = 0;
  /** The bytes of all proposals that have not ended. */
  #bytes = 0;
  #count = 0;

  constructor(context: ProposalsContext) {
    this.#context = context;
  }

  /** The number of proposals that have not ended. */
  get count(): number {
    return this.#count;
  }

  /** Their bytes, with a fixed cost for each; zero when idle (rule 10). */
  get bytes(): number {
    return this.#bytes;
  }

  /** Queues a command for the next {@linkcode submit}. The bytes are copied, since a command must never change. */
  add(command: Uint8Array, signal: AbortSignal | undefined): Promise<Required<ProposeResult>> {
    const cost = command.length + OVERHEAD_BYTES;
    if (this.#count > 0 && this.#bytes + cost > this.#context.config.maxUncommittedBytes) {
      return Promise.reject(busy("too many bytes wait to be committed and applied"));
    }
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        command: copyBytes(command),
        startedMs: this.#nowMs(),
        resolve,
        reject,
        index: 0,
        term: 0,
        settled: false,
        detach: null,
      };
      this.#bytes += cost;
      this.#count++;
      if (signal !== undefined) this.#watch(pending, signal);
      this.#queued.push(pending);
    });
  }

  /** Hands the queued commands to the core, as one batch. */
  submit(target: Pick<Raft, "propose">, explain: (refused: Refused) => RaftError): void {
    const queued = this.#queued.splice(0).filter((pending) => !pending.settled);
    if (queued.length > 0) this.#submit(queued, target, explain);
  }

  /** Ends the proposal of an applied entry; `result` is `null` if that is not a command. */
  applied(entry: Entry, result: Uint8Array | null): void {
    if (this.#count === 0) return;
    const pending = this.#logged.get(entry.index);
    if (pending !== undefined) {
      this.#logged.delete(entry.index);
      this.#conclude(pending, entry, result);
    }
    if (this.#orphans.length > 0) this.#concludeOrphans(entry, result);
  }

  /** Orphans the logged proposals of a deposed leader, which the next one may still commit. */
  orphan(): void {
    this.#orphansUntilMs = this.#nowMs() + this.#context.config.electionTimeoutMs;
    for (const pending of this.#logged.values()) this.#orphans.push(pending);
    this.#logged.clear();
  }

  /** Ends orphans that have waited long enough. */
  tick(): void {
    if (this.#orphans.length === 0 || this.#nowMs() < this.#orphansUntilMs) return;
    this.endOrphans();
  }

  /** Ends all orphans as unknown; also when a snapshot replaced the entries that would decide them. */
  endOrphans(make: MakeError = leadershipLost): void {
    for (const pending of this.#orphans.splice(0)) this.#fail(pending, make("unknown"));
  }

  /**
   * Ends all proposals.
   *
   * @param rejectedAfter commands that this leadership logged after this index certainly have no effect
   */
  endAll(make: MakeError, rejectedAfter = Infinity): void {
    for (const pending of this.#queued.splice(0)) this.#fail(pending, make("rejected"));
    // Entries that an earlier leadership sent may be in another log, and still be committed (figure 8).
    this.endOrphans(make);
    for (const pending of this.#logged.values()) {
      this.#fail(pending, make(pending.index > rejectedAfter ? "rejected" : "unknown"));
    }
    this.#logged.clear();
  }

  /** Submits a batch; one that is too large as a whole, piece by piece. */
  #submit(
    batch: readonly Pending[],
    target: Pick<Raft, "propose">,
    explain: (refused: Refused) => RaftError,
  ): void {
    const taken = target.propose(batch.map(({ command }) => command));
    for (const [offset, pending] of batch.entries()) {
      if (taken.ok) {
        pending.index = taken.firstIndex + offset;
        pending.term = taken.term;
        this.#logged.set(pending.index, pending);
      } else if (taken.reason === "busy" && batch.length > 1) this.#submit([pending], target, explain);
      else this.#fail(pending, explain(taken));
    }
  }

  #concludeOrphans(entry: Entry, result: Uint8Array | null): void {
    for (const pending of this.#orphans.splice(0)) {
      if (pending.index === entry.index) this.#conclude(pending, entry, result);
      else if (!pending.settled) this.#orphans.push(pending);
    }
  }

  /** Ends a proposal by the entry at its index. Index and term identify an entry (Log Matching, §5.3): with another term another command was committed in its place. */
  #conclude(pending: Pending, entry: Entry, result: Uint8Array | null): void {
    if (pending.term !== entry.term || result === null) {
      this.#fail(pending, leadershipLost("rejected"));
    } else if (this.#settle(pending, true)) {
      pending.resolve({ index: entry.index, term: entry.term, result });
    }
  }

  #fail(pending: Pending, error: RaftError): void {
    if (this.#settle(pending, false)) pending.reject(error);
  }

  #settle(pending: Pending, ok: boolean): boolean {
    if (pending.settled) return false;
    pending.settled = true;
    pending.detach?.();
    this.#bytes -= pending.command.length + OVERHEAD_BYTES;
    this.#count--;
    const durationMs = this.#nowMs() - pending.startedMs;
    this.#context.events.emit("metric", { type: "proposal", durationMs, ok });
    return true;
  }

  #nowMs(): number {
    return this.#context.config.host.clock.monotonicMs();
  }

  /** Ends a proposal when its signal fires. One listener serves all proposals of a signal: a call may bring thousands. */
  #watch(pending: Pending, signal: AbortSignal): void {
    const watched = this.#watched.get(signal) ?? this.#listen(signal);
    watched.pending.add(pending);
    pending.detach = () => {
      watched.pending.delete(pending);
      if (watched.pending.size > 0) return;
      signal.removeEventListener("abort", watched.onAbort);
      this.#watched.delete(signal);
    };
  }

  #listen(signal: AbortSignal): Watched {
    const watched: Watched = {
      pending: new Set(),
      onAbort: () => {
        for (const pending of watched.pending) {
          // Another proposal may have an orphan's index by now.
          if (this.#logged.get(pending.index) === pending) this.#logged.delete(pending.index);
          this.#fail(pending, abortedError(signal, pending.index === 0 ? "rejected" : "unknown"));
        }
      },
    };
    this.#watched.set(signal, watched);
    signal.addEventListener("abort", watched.onAbort, { once: true });
    return watched;
  }
}
