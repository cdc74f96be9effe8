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

/** Takes one snapshot at a time. */
export class SnapshotTaker {
  readonly #context: NodeContext;
  readonly #applier: Applier;
  readonly #logWriter: LogWriter;
  #current: Promise<SnapshotMeta> | null = null;
  #giveUp: (error: RaftError) => void = () => {};
  #bytesBefore = 0;
  #notBeforeMs = 0;
  #ended: RaftError | null = null;

  constructor(context: NodeContext, applier: Applier, logWriter: LogWriter) {
    this.#context = context;
    this.#applier = applier;
    this.#logWriter = logWriter;
  }

  /** Begins with a snapshot if enough was applied since the last one. */
  check(): void {
    const { snapshotEntries, snapshotBytes, host } = this.#context.config;
    if (this.#current !== null || this.#ended !== null) return;
    const entries = this.#applier.appliedIndex - this.#newestIndex;
    const due = (snapshotEntries > 0 && entries >= snapshotEntries) ||
      (snapshotBytes > 0 && entries > 0 && this.#applier.appliedBytes - this.#bytesBefore >= snapshotBytes);
    if (!due || host.clock.monotonicMs() < this.#notBeforeMs) return;
    this.take().catch(() => {});
  }

  /** Takes a snapshot, or waits for the one under way. Returns the newest one if nothing was applied since. */
  take(): Promise<SnapshotMeta> {
    const newest = this.#context.raft.snapshot;
    if (newest !== null && newest.index === this.#applier.appliedIndex) return Promise.resolve(newest);
    this.#current ??= new Promise<SnapshotMeta>((resolve, reject) => {
      this.#giveUp = reject;
      this.#take().then(resolve, reject);
    }).finally(() => {
      this.#current = null;
      this.check();
    });
    return this.#current;
  }

  /** Stops for good, and rejects callers that wait for a snapshot. */
  stop(error: RaftError): void {
    this.#ended = error;
    // A write that hangs must not hold up callers.
    this.#giveUp(error);
  }

  async #take(): Promise<SnapshotMeta> {
    try {
      const capture = await this.#applier.capture();
      this.#bytesBefore = this.#applier.appliedBytes;
      const meta = await this.#write(capture);
      this.#taken(meta);
      return meta;
    } catch (error) {
      this.#notBeforeMs = this.#context.config.host.clock.monotonicMs() + this.#context.config.electionTimeoutMs;
      if (this.#ended !== null) throw this.#ended;
      // It is not a failure that there is nothing to take, or that a newer snapshot came first.
      const refused = error instanceof RaftError && (error.code === "busy" || error.code === "not_ready");
      if (!refused) this.#logWriter.failedBeside(error);
      throw error;
    }
  }

  async #write(capture: Capture): Promise<SnapshotMeta> {
    let writer: SnapshotWriter | null = null;
    let ended = false;
    try {
      writer = await this.#context.storage.createSnapshot();
      let next = await capture.first;
      for (let unyielded = 0; !next.done; next = await capture.chunks.next()) {
        if (!this.#wanted(capture.index)) throw superseded();
        await writer.write(next.value);
        unyielded += next.value.length + 1024;
        if (unyielded < YIELD_BYTES) continue;
        unyielded = 0;
        await new Promise<void>((resolve) => this.#context.config.host.enqueue(resolve));
      }
      ended = true;
      const meta: SnapshotMeta = {
        id: randomId(() => this.#context.config.host.random()),
        index: capture.index,
        term: capture.term,
        membership: capture.membership,
        size: writer.offset,
        checksum: writer.checksum,
      };
      await writer.stage(meta);
      await this.#logWriter.addSnapshot(meta, () => this.#wanted(meta.index));
      return meta;
    } catch (error) {
      if (!ended) capture.chunks.return?.()?.catch(() => {});
      writer?.abort().catch(() => {});
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

  #wanted(index: number): boolean {
    return this.#ended === null && index > this.#newestIndex;
  }
}
