/**
 * The one place that calls the state machine: commands in log order, queries,
 * captures and restores, none of them overlapping.
 */

import type { Host } from "../clock.ts";
import { closedError, RaftError, StorageError } from "../errors.ts";
import { Pending } from "../pending.ts";
import type { Entry, Membership, SnapshotMeta } from "../raft/types.ts";
import type { StateMachine } from "../state_machine.ts";
import type { NodeContext } from "./context.ts";
import { messageOf } from "./errors.ts";
import { LogSizes } from "./log_sizes.ts";
import type { Proposals } from "./proposals.ts";
import type { PendingRead, Reads } from "./reads.ts";
import { chunksOf, restoreStaged } from "./staged_restore.ts";
import type { RestoreOutcome, StagedSnapshot } from "./staged_restore.ts";

/** The parts of a node that applying concerns. */
export interface ApplierParts {
  readonly proposals: Pick<Proposals, "applied" | "endOrphans">;
  readonly reads: Pick<Reads, "hasDue" | "takeDue">;
  /** Called when the applied index has risen. */
  readonly advanced: () => void;
}

/** The captured state at one index, as a stream. */
export interface Capture {
  readonly index: number;
  readonly term: number;
  readonly membership: Membership;
  readonly chunks: AsyncIterator<Uint8Array>;
  readonly first: Promise<IteratorResult<Uint8Array>>;
}

interface RestoreRequest {
  readonly staged: StagedSnapshot;
  readonly done: Pending<RestoreOutcome>;
}

/** The number of entries applied before other tasks get their turn. */
const SLICE_ENTRIES = 512;
/** The bytes read from the storage at once: several slices of small entries. */
const READ_BYTES = 256 * 1024;
/** The bytes of answers to reads before other tasks get their turn. */
const ANSWER_BYTES = 1024 * 1024;

/** Applies committed, durable entries, as fast as the state machine allows. */
export class Applier {
  /** The sizes of applied entries that the log still has. */
  readonly sizes: LogSizes = new LogSizes();
  readonly #context: NodeContext;
  readonly #stateMachine: StateMachine;
  readonly #parts: ApplierParts;
  readonly #captures: Pending<Capture>[] = [];
  #appliedIndex = 0;
  /** The bytes of answers since other tasks had their turn. */
  #answerBytes = 0;
  #busy = false;
  #stopped = false;
  /** A snapshot from the leader to restore next. */
  #restore: RestoreRequest | null = null;
  /** The snapshot that has replaced state and log, and is not durable yet. */
  #replacement: SnapshotMeta | null = null;
  /** Entries read from the storage beyond one slice. They are committed, and so never change. */
  #ahead: readonly Entry[] = [];

  constructor(context: NodeContext, stateMachine: StateMachine, parts: ApplierParts) {
    this.#context = context;
    this.#stateMachine = stateMachine;
    this.#parts = parts;
  }

  get #host(): Host {
    return this.#context.config.host;
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  /** Does all work that is ready. Cheap if there is none. */
  pump(): void {
    if (this.#busy || this.#stopped) return;
    // Work may ask for more, such as a snapshot that an entry makes due: that comes next, and not in the middle.
    this.#busy = true;
    try {
      const wait = this.#work();
      if (wait === null) this.#busy = false;
      else this.#waitFor(wait);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Captures the state once the call under way has ended. @throws {RaftError} if a snapshot from the leader is about to replace it, or the node ends. */
  capture(): Promise<Capture> {
    const capture = new Pending<Capture>();
    this.#captures.push(capture);
    this.pump();
    return capture.promise;
  }

  /**
   * Restores a snapshot from the leader once the call under way has ended, and puts it in
   * force. Nothing is applied and no read served from then on, until it is durable.
   *
   * @throws {RaftError} if the node ends
   */
  restore(staged: StagedSnapshot): Promise<RestoreOutcome> {
    const done = new Pending<RestoreOutcome>();
    this.#restore = { staged, done };
    this.pump();
    return done.promise;
  }

  /** Continues after a restored snapshot, which is durable now. */
  restoreDurable(meta: SnapshotMeta): void {
    if (this.#replacement?.id !== meta.id) return;
    this.#replacement = null;
    this.#restored(meta);
    this.pump();
  }

  /** Replaces the state by the storage's newest snapshot; at start, before anything else. */
  async restoreNewest(): Promise<void> {
    const reader = await this.#context.storage.openSnapshot();
    if (reader === null) throw new RaftError("internal", "the storage has no snapshot to restore");
    try {
      await this.#stateMachine.restore(chunksOf(reader, () => this.#turn()));
    } finally {
      await reader.close().catch(() => {});
    }
    if (!this.#stopped) this.#restored(reader.meta);
  }

  /** Stops for good, and rejects pending captures. Reads are ended by their owner. */
  stop(error: RaftError): void {
    this.#stopped = true;
    this.#rejectCaptures(error);
    this.#restore?.done.reject(error);
    this.#restore = null;
  }

  /** Does one job after another. Returns a promise if a job is asynchronous, `null` once there is none. */
  #work(): Promise<void> | null {
    let budget = SLICE_ENTRIES;
    for (;;) {
      if (this.#stopped) return null;
      if (this.#restore !== null) return this.#restoreNow(this.#restore);
      if (this.#replacement !== null) {
        this.#rejectCaptures(new RaftError("busy", "a snapshot from the leader is being installed"));
        return null;
      }
      if (this.#parts.reads.hasDue(this.#appliedIndex)) {
        const wait = this.#serve(this.#parts.reads.takeDue(this.#appliedIndex));
        if (wait !== null) return wait;
      }
      if (this.#captures.length > 0) this.#captureNow();
      const from = this.#appliedIndex + 1;
      const to = Math.min(this.#context.raft.applicableIndex, this.#appliedIndex + budget);
      if (to < from) {
        if (budget > 0) return null;
        return this.#turn();
      }
      const entries = this.#entriesAt(from, to);
      const wait = entries.length === 0 ? this.#readAhead(from) : this.#applyAll(entries);
      if (wait !== null) return wait;
      budget -= entries.length;
    }
  }

  #waitFor(wait: Promise<void>): void {
    wait.then(
      () => {
        this.#busy = false;
        this.pump();
      },
      (error) => {
        this.#busy = false;
        this.#fail(error);
      },
    );
  }

  /** Returns the entries from `from` on that are in memory. */
  #entriesAt(from: number, to: number): readonly Entry[] {
    const cached = this.#context.raft.cachedEntries(from, to);
    if (cached.length > 0) return cached;
    const at = from - (this.#ahead[0]?.index ?? 0);
    if (at >= 0 && at < this.#ahead.length) return this.#ahead.slice(at, at + to - from + 1);
    this.#ahead = [];
    return this.#ahead;
  }

  async #readAhead(from: number): Promise<void> {
    this.#ahead = await this.#context.storage.entries(from, this.#context.raft.applicableIndex, READ_BYTES);
  }

  /** Waits while other tasks get their turn. */
  #turn(): Promise<void> {
    return new Promise((resolve) => this.#host.enqueue(resolve));
  }

  async #restoreNow({ staged, done }: RestoreRequest): Promise<void> {
    this.#restore = null;
    const install = (): boolean => {
      if (this.#stopped || !staged.install()) return false;
      this.#replacement = staged.meta;
      return true;
    };
    done.resolve(await restoreStaged(this.#stateMachine, { ...staged, install }, () => this.#turn()));
  }

  /** Applies entries, without a promise as long as the state machine returns none. */
  #applyAll(entries: readonly Entry[]): Promise<void> | null {
    const startedMs = this.#host.clock.monotonicMs();
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      const result = this.#apply(entry);
      if (result instanceof Promise) return this.#applyRest(entries, i, result, startedMs);
      this.#advance(entry, result);
    }
    this.#advanced(entries.length, startedMs);
    return null;
  }

  async #applyRest(
    entries: readonly Entry[],
    at: number,
    first: Promise<Uint8Array>,
    startedMs: number,
  ): Promise<void> {
    let result: Uint8Array | null = await first;
    for (let i = at;;) {
      if (this.#stopped) return;
      this.#advance(entries[i]!, result);
      this.#advanced(i === at ? at + 1 : 1, startedMs);
      if (++i === entries.length) return;
      // Captures and reads don't wait for the rest of a slow slice.
      if (this.#captures.length > 0 || this.#parts.reads.hasDue(this.#appliedIndex)) return;
      startedMs = this.#host.clock.monotonicMs();
      const given = this.#apply(entries[i]!);
      result = given instanceof Promise ? await given : given;
    }
  }

  #apply(entry: Entry): Uint8Array | null | Promise<Uint8Array> {
    if (entry.index !== this.#appliedIndex + 1) {
      throw new RaftError("internal", `entry ${entry.index} does not follow the applied index ${this.#appliedIndex}`);
    }
    return entry.type === "command" ? this.#stateMachine.apply(entry) : null;
  }

  #advance(entry: Entry, result: Uint8Array | null): void {
    this.#appliedIndex = entry.index;
    this.sizes.add(entry);
    this.#parts.proposals.applied(entry, result);
  }

  #advanced(entries: number, startedMs: number): void {
    const { raft, events } = this.#context;
    raft.applied(this.#appliedIndex);
    events.emit("applied", { index: this.#appliedIndex });
    events.emit("metric", { type: "apply", durationMs: this.#host.clock.monotonicMs() - startedMs, entries });
    this.#parts.advanced();
  }

  #restored({ index, size }: SnapshotMeta): void {
    this.#appliedIndex = index;
    this.sizes.reset(index);
    this.#context.raft.applied(index);
    this.#parts.proposals.endOrphans();
    this.#context.events.emit("snapshot", { index, size, reason: "installed" });
    this.#context.wake();
  }

  /** Serves reads, without a promise as long as the state machine returns none and the answers are small. */
  #serve(reads: readonly PendingRead[]): Promise<void> | null {
    for (const [i, read] of reads.entries()) {
      if (read.pending.settled) continue;
      const wait = this.#ask(read) ?? this.#answerTurn();
      if (wait !== null) return this.#serveRest(reads.slice(i + 1), wait);
    }
    return null;
  }

  async #serveRest(rest: readonly PendingRead[], first: Promise<void>): Promise<void> {
    await first;
    for (const read of rest) {
      if (this.#stopped) read.pending.reject(closedError("the node"));
      else if (!read.pending.settled) await (this.#ask(read) ?? this.#answerTurn());
    }
  }

  /** Gives other tasks their turn after many bytes of answers, so that those are sent, or refused, before the next. */
  #answerTurn(): Promise<void> | null {
    if (this.#answerBytes < ANSWER_BYTES) return null;
    this.#answerBytes = 0;
    return this.#turn();
  }

  /** Serves a read. An error of the state machine concerns the reader alone: nothing has changed. */
  #ask({ query, pending }: PendingRead): Promise<void> | null {
    const answer = (result: Uint8Array): void => {
      this.#answerBytes += result.length;
      pending.resolve({ result, appliedIndex: this.#appliedIndex });
    };
    const trouble = (cause: unknown): void =>
      void pending.reject(
        cause instanceof RaftError
          ? cause
          : new RaftError("internal", "the state machine failed at a query", { cause }),
      );
    try {
      const given = this.#stateMachine.query(query);
      if (given instanceof Promise) return given.then(answer, trouble);
      answer(given);
    } catch (error) {
      trouble(error);
    }
    return null;
  }

  #captureNow(): void {
    const index = this.#appliedIndex;
    const term = this.#context.raft.termAt(index);
    if (index === 0 || term === undefined) {
      this.#rejectCaptures(new RaftError("not_ready", "nothing is applied yet"));
      return;
    }
    this.sizes.mark();
    for (const capture of this.#captures.splice(0)) {
      try {
        const chunks = this.#stateMachine.snapshot()[Symbol.asyncIterator]();
        // The capture happens in this call, so that it has no later commands.
        const first = chunks.next();
        first.catch(() => {});
        capture.resolve({ index, term, membership: this.#context.raft.membershipAt(index), chunks, first });
      } catch (cause) {
        capture.reject(new RaftError("internal", "the state machine failed at a snapshot", { cause }));
      }
    }
  }

  #rejectCaptures(error: RaftError): void {
    for (const capture of this.#captures.splice(0)) capture.reject(error);
  }

  #fail(error: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#context.stop(
      error instanceof StorageError
        ? error
        : new RaftError("internal", `the state machine failed: ${messageOf(error)}`, { cause: error }),
    );
  }
}
