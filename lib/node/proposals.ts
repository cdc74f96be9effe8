/**
 * Commands on their way from the proposer to the state machine and back.
 *
 * @module
 */

import { copyBytes } from "../bytes.ts";
import type { Clock } from "../clock.ts";
import { abortedError, RaftError } from "../errors.ts";
import type { Raft } from "../raft/mod.ts";
import type { Entry, Refused } from "../raft/types.ts";
import { busy } from "./errors.ts";
import type { MakeError } from "./errors.ts";
import type { ProposeResult } from "./types.ts";

interface Pending {
  readonly command: Uint8Array;
  readonly startedMs: number;
  readonly resolve: (proposed: Required<ProposeResult>) => void;
  readonly reject: (error: RaftError) => void;
  /** 0 while it is not in the log. */
  index: number;
  term: number;
  settled: boolean;
  /** Lets go of the caller's signal. */
  detach: (() => void) | null;
}

/** The proposals that end with a signal. */
interface Watched {
  readonly pending: Set<Pending>;
  readonly onAbort: () => void;
}

/** What a command costs beside its bytes, so that empty ones are bounded too. */
const OVERHEAD_BYTES = 64;

/**
 * Every proposal ends exactly once: with the state machine's answer, `rejected`
 * if its command surely has no effect, or else `unknown`.
 *
 * A leader that is deposed by another usually learns within moments what became
 * of its last entries: they are applied, or others are committed in their
 * place. So their proposals wait (orphaned) for one election timeout at most.
 */
export class Proposals {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #graceMs: number;
  readonly #report: (durationMs: number, ok: boolean) => void;
  #queued: Pending[] = [];
  readonly #logged = new Map<number, Pending>();
  readonly #watched = new Map<AbortSignal, Watched>();
  #orphans: Pending[] = [];
  #orphansUntilMs = 0;
  /** Of all that are not settled. */
  #bytes = 0;
  #count = 0;

  constructor(
    options: {
      readonly clock: Clock;
      readonly maxBytes: number;
      readonly graceMs: number;
      readonly report: (durationMs: number, ok: boolean) => void;
    },
  ) {
    this.#clock = options.clock;
    this.#maxBytes = options.maxBytes;
    this.#graceMs = options.graceMs;
    this.#report = options.report;
  }

  /** Proposals that have not ended. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of those, with something for each: zero when idle. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Queues a command for the next {@linkcode submit}. The bytes are copied: what was sent must stay what it is. */
  add(command: Uint8Array, signal: AbortSignal | undefined): Promise<Required<ProposeResult>> {
    const cost = command.length + OVERHEAD_BYTES;
    if (this.#count > 0 && this.#bytes + cost > this.#maxBytes) {
      return Promise.reject(busy("too many bytes wait to be committed and applied"));
    }
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        command: copyBytes(command),
        startedMs: this.#clock.monotonicMs(),
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

  /** Hands all that is queued to the core, as one batch. */
  submit(target: Pick<Raft, "propose">, explain: (refused: Refused) => RaftError): void {
    if (this.#queued.length === 0) return;
    const queued = this.#queued.filter((pending) => !pending.settled);
    this.#queued = [];
    if (queued.length === 0) return;
    const taken = target.propose(queued.map((pending) => pending.command));
    if (taken.ok) {
      this.#track(queued, taken.firstIndex, taken.term);
    } else if (taken.reason === "busy" && queued.length > 1) {
      this.#submitEach(target, queued, explain);
    } else {
      for (const pending of queued) this.#fail(pending, explain(taken));
    }
  }

  /** An entry was applied; `result` is `null` if it is not a command. */
  applied(entry: Entry, result: Uint8Array | null): void {
    if (this.#count === 0) return;
    const pending = this.#logged.get(entry.index);
    if (pending !== undefined) {
      this.#logged.delete(entry.index);
      this.#conclude(pending, entry, result);
    }
    if (this.#orphans.length > 0) this.#concludeOrphans(entry, result);
  }

  /** Another leader may finish what this one began. */
  orphan(): void {
    this.#orphansUntilMs = this.#clock.monotonicMs() + this.#graceMs;
    for (const pending of this.#logged.values()) this.#orphans.push(pending);
    this.#logged.clear();
  }

  /** Ends orphans that have waited long enough. */
  tick(): void {
    if (this.#orphans.length === 0 || this.#clock.monotonicMs() < this.#orphansUntilMs) return;
    this.endOrphans();
  }

  /** The log jumped over entries by a snapshot: what became of them can't be told. */
  endOrphans(make: MakeError = leadershipLost): void {
    const orphans = this.#orphans;
    this.#orphans = [];
    for (const pending of orphans) this.#fail(pending, make("unknown"));
  }

  /**
   * Ends everything.
   *
   * @param rejectedAfter commands that this leadership logged after this index have surely no effect
   */
  endAll(make: MakeError, rejectedAfter = Infinity): void {
    const queued = this.#queued;
    this.#queued = [];
    for (const pending of queued) this.#fail(pending, make("rejected"));
    // What an earlier leadership has sent may be in a log elsewhere, and be committed yet (figure 8).
    this.endOrphans(make);
    const logged = [...this.#logged.values()];
    this.#logged.clear();
    for (const pending of logged) this.#fail(pending, make(pending.index > rejectedAfter ? "rejected" : "unknown"));
  }

  #submitEach(
    target: Pick<Raft, "propose">,
    queued: readonly Pending[],
    explain: (refused: Refused) => RaftError,
  ): void {
    for (const pending of queued) {
      const taken = target.propose([pending.command]);
      if (taken.ok) this.#track([pending], taken.firstIndex, taken.term);
      else this.#fail(pending, explain(taken));
    }
  }

  #track(taken: readonly Pending[], firstIndex: number, term: number): void {
    taken.forEach((pending, offset) => {
      pending.index = firstIndex + offset;
      pending.term = term;
      this.#logged.set(pending.index, pending);
    });
  }

  #concludeOrphans(entry: Entry, result: Uint8Array | null): void {
    const orphans = this.#orphans;
    this.#orphans = [];
    for (const pending of orphans) {
      if (pending.index === entry.index) this.#conclude(pending, entry, result);
      else if (!pending.settled) this.#orphans.push(pending);
    }
  }

  /** Index and term name an entry (Log Matching, §5.3): another term is another command, committed in its place. */
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
    this.#report(this.#clock.monotonicMs() - pending.startedMs, ok);
    return true;
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
          // An orphan's index may be another's by now.
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

/** The node was deposed while a request was under way. */
export const leadershipLost: MakeError = (outcome) =>
  new RaftError("leadership_lost", "the node lost its leadership while the request was under way", {
    outcome,
    hint: outcome === "rejected" ? "Send it to the new leader." : "It may have been carried out, or may be yet.",
  });
