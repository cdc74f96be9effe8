/**
 * Takes snapshots of the applied state while commands continue (§7).
 */

import { RaftError } from "../errors.ts";
import { randomId } from "../random_id.ts";
import type { SnapshotMeta } from "../raft/types.ts";
import type { SnapshotWriter } from "../storage.ts";
import type { Applier, Capture } from "./applier.ts";
import type { NodeContext } from "./context.ts";
import { superseded } from "./errors.ts";
import type { LogWriter } from "./log_writer.ts";

/** The bytes written before other tasks get their turn. */
const YIELD_BYTES = 256 * 1024;

/** The longest pause after a failure, in election timeouts: each attempt may write as much as a whole snapshot. */
const MAX_PAUSE_TIMEOUTS = 64;

/** A snapshot being taken. */
class Attempt {
  readonly done: Promise<SnapshotMeta>;
  readonly settle: PromiseWithResolvers<SnapshotMeta>;
  writer: SnapshotWriter | null = null;
  /** Set once a batch that makes it the newest is being written: it can no longer be withdrawn. */
  committing = false;
  #ended: RaftError | null = null;

  constructor() {
    this.settle = Promise.withResolvers<SnapshotMeta>();
    this.done = this.settle.promise;
  }

  /** The reason why it is no longer wanted. */
  get ended(): RaftError | null {
    return this.#ended;
  }

  /** Rejects callers and removes the bytes at once, even while a call of the writer hangs. */
  end(error: RaftError): void {
    this.#ended ??= error;
    this.settle.reject(error);
    if (!this.committing) this.writer?.abort().catch(() => {});
  }
}

/** Takes one snapshot at a time, and none while one from the leader arrives. */
export class SnapshotTaker {
  readonly #context: NodeContext;
  readonly #applier: Applier;
  readonly #logWriter: LogWriter;
  readonly #isReceiving: () => boolean;
  #current: Attempt | null = null;
  #notBeforeMs = 0;
  /** Failures since the last snapshot. */
  #failures = 0;
  #ended: RaftError | null = null;

  /** @param isReceiving reports whether a snapshot from the leader is arriving */
  constructor(context: NodeContext, applier: Applier, logWriter: LogWriter, isReceiving: () => boolean) {
    this.#context = context;
    this.#applier = applier;
    this.#logWriter = logWriter;
    this.#isReceiving = isReceiving;
  }

  /** Begins with a snapshot if enough was applied since the last one. */
  check(): void {
    if (this.#current !== null || this.#ended !== null || this.#isReceiving() || !this.#isDue()) return;
    if (this.#context.config.host.clock.monotonicMs() < this.#notBeforeMs) return;
    this.take().catch(() => {});
  }

  /**
   * Reports whether the log is long enough, also in relation to the newest snapshot:
   * the next one may be as large, and shall be worth it.
   */
  #isDue(): boolean {
    const { snapshotEntries, snapshotBytes, snapshotRatio, maxLogBytes } = this.#context.config;
    if (snapshotEntries === 0 && snapshotBytes === 0) return false;
    const entries = this.#applier.appliedIndex - this.#newestIndex;
    if (entries === 0) return false;
    const bytes = this.logBytes;
    if (maxLogBytes > 0 && bytes >= maxLogBytes) return true;
    if (bytes < snapshotRatio * (this.#context.raft.snapshot?.size ?? 0)) return false;
    return (snapshotEntries > 0 && entries >= snapshotEntries) || (snapshotBytes > 0 && bytes >= snapshotBytes);
  }

  /** The bytes of applied entries since the newest snapshot. */
  get logBytes(): number {
    return this.#applier.sizes.after(this.#newestIndex);
  }

  /** Takes a snapshot, or waits for the one under way. Returns the newest one if nothing was applied since. */
  take(): Promise<SnapshotMeta> {
    const newest = this.#context.raft.snapshot;
    if (newest !== null && newest.index === this.#applier.appliedIndex) return Promise.resolve(newest);
    if (this.#current !== null) return this.#current.done;
    if (this.#isReceiving()) return Promise.reject(superseded());
    const attempt = this.#current = new Attempt();
    void this.#take(attempt);
    return attempt.done;
  }

  /** Ends the snapshot under way at once, because one from the leader arrives; unless it is about to be the newest. */
  supersede(): void {
    const attempt = this.#current;
    if (attempt === null || attempt.committing) return;
    this.#current = null;
    attempt.end(superseded());
  }

  /** Stops for good, and rejects callers that wait for a snapshot. */
  stop(error: RaftError): void {
    this.#ended = error;
    // A write that hangs must not hold up callers.
    this.#current?.end(error);
  }

  async #take(attempt: Attempt): Promise<void> {
    try {
      const capture = await this.#applier.capture();
      const meta = await this.#write(attempt, capture);
      this.#failures = 0;
      attempt.settle.resolve(meta);
    } catch (error) {
      if (attempt.ended === null) this.#failed(error);
      attempt.settle.reject(attempt.ended ?? error);
    } finally {
      if (this.#current === attempt) {
        this.#current = null;
        this.check();
      }
    }
  }

  #failed(error: unknown): void {
    const { host, electionTimeoutMs } = this.#context.config;
    // It is not a failure that there is nothing to take, or that a newer snapshot came first.
    const refused = error instanceof RaftError && (error.code === "busy" || error.code === "not_ready");
    const timeouts = refused ? 1 : Math.min(2 ** this.#failures++, MAX_PAUSE_TIMEOUTS);
    this.#notBeforeMs = host.clock.monotonicMs() + timeouts * electionTimeoutMs;
    if (!refused) this.#logWriter.failedBeside(error);
  }

  async #write(attempt: Attempt, capture: Capture): Promise<SnapshotMeta> {
    let read = false;
    try {
      // A snapshot from the leader may have begun meanwhile, and the storage has room for one.
      this.#requireWanted(attempt, capture.index);
      const writer = attempt.writer = await this.#context.storage.createSnapshot();
      this.#requireWanted(attempt, capture.index);
      let next = await capture.first;
      for (let unyielded = 0; !next.done; next = await capture.chunks.next()) {
        this.#requireWanted(attempt, capture.index);
        await writer.write(next.value);
        unyielded += next.value.length + 1024;
        if (unyielded < YIELD_BYTES) continue;
        unyielded = 0;
        await new Promise<void>((resolve) => this.#context.config.host.enqueue(resolve));
      }
      read = true;
      this.#requireWanted(attempt, capture.index);
      const meta: SnapshotMeta = {
        id: randomId(() => this.#context.config.host.random()),
        index: capture.index,
        term: capture.term,
        membership: capture.membership,
        size: writer.offset,
        checksum: writer.checksum,
      };
      await writer.stage(meta);
      await this.#logWriter.addSnapshot(meta, () => attempt.committing = this.#wanted(attempt, meta.index));
      this.#taken(meta);
      return meta;
    } catch (error) {
      if (!read) capture.chunks.return?.()?.catch(() => {});
      attempt.writer?.abort().catch(() => {});
      throw error;
    }
  }

  #taken(meta: SnapshotMeta): void {
    const { raft, events } = this.#context;
    this.#context.guard(() => {
      raft.snapshotTaken(meta);
      this.#logWriter.compactBehind(meta);
      events.emit("snapshot", { index: meta.index, size: meta.size, reason: "taken" });
    });
  }

  get #newestIndex(): number {
    return this.#context.raft.snapshot?.index ?? 0;
  }

  #wanted(attempt: Attempt, index: number): boolean {
    return attempt.ended === null && this.#ended === null && index > this.#newestIndex;
  }

  #requireWanted(attempt: Attempt, index: number): void {
    if (!this.#wanted(attempt, index)) throw superseded();
  }
}
