/**
 * Takes snapshots of the applied state while commands go on (§7).
 *
 * @module
 */

import type { Host } from "../clock.ts";
import { RaftError } from "../errors.ts";
import type { SnapshotMeta } from "../raft/types.ts";
import type { SnapshotWriter, Storage } from "../storage.ts";
import type { Applier, Capture } from "./applier.ts";
import { randomName } from "./identity.ts";
import type { SnapshotJob } from "./persister.ts";

/** What the taker needs of the node. */
export interface TakerOptions {
  readonly host: Host;
  readonly storage: Storage;
  readonly applier: Applier;
  /** 0 for never. */
  readonly everyEntries: number;
  /** 0 for never. */
  readonly everyBytes: number;
  /** How long to wait after a failure. */
  readonly retryMs: number;
  /** The newest snapshot. */
  readonly newest: () => SnapshotMeta | null;
  /** Queues the staged snapshot for its write, in order with the log's. */
  readonly persist: (job: SnapshotJob) => void;
  /** It is the storage's newest now. */
  readonly taken: (meta: SnapshotMeta) => void;
  readonly failed: (error: unknown) => void;
}

/** How much is written before other tasks get their turn. */
const YIELD_BYTES = 256 * 1024;

/** One snapshot at a time. */
export class SnapshotTaker {
  readonly #options: TakerOptions;
  #current: Promise<SnapshotMeta> | null = null;
  #giveUp: (error: RaftError) => void = () => {};
  #bytesBefore = 0;
  #notBeforeMs = 0;
  #ended: RaftError | null = null;

  constructor(options: TakerOptions) {
    this.#options = options;
  }

  /** Begins with a snapshot if enough was applied since the last one. */
  check(): void {
    const { everyEntries, everyBytes, applier, newest, host } = this.#options;
    if (this.#current !== null || this.#ended !== null) return;
    const entries = applier.appliedIndex - (newest()?.index ?? 0);
    const due = (everyEntries > 0 && entries >= everyEntries) ||
      (everyBytes > 0 && entries > 0 && applier.appliedBytes - this.#bytesBefore >= everyBytes);
    if (!due || host.clock.monotonicMs() < this.#notBeforeMs) return;
    this.take().catch(() => {});
  }

  /** Takes a snapshot, or waits for the one under way; the newest if nothing was applied since. */
  take(): Promise<SnapshotMeta> {
    const newest = this.#options.newest();
    if (newest !== null && newest.index === this.#options.applier.appliedIndex) return Promise.resolve(newest);
    this.#current ??= new Promise<SnapshotMeta>((resolve, reject) => {
      this.#giveUp = reject;
      this.#take().then(resolve, reject);
    }).finally(() => {
      this.#current = null;
      this.check();
    });
    return this.#current;
  }

  /** Takes none any more; who waits for one is told. */
  stop(error: RaftError): void {
    this.#ended = error;
    // A write that hangs must hold nobody.
    this.#giveUp(error);
  }

  async #take(): Promise<SnapshotMeta> {
    try {
      const capture = await this.#options.applier.capture();
      this.#bytesBefore = this.#options.applier.appliedBytes;
      const meta = await this.#write(capture);
      this.#options.taken(meta);
      return meta;
    } catch (error) {
      this.#notBeforeMs = this.#options.host.clock.monotonicMs() + this.#options.retryMs;
      if (this.#ended !== null) throw this.#ended;
      // That there is nothing to take, or that a newer one came first, is no failure.
      const refused = error instanceof RaftError && (error.code === "busy" || error.code === "not_ready");
      if (!refused) this.#options.failed(error);
      throw error;
    }
  }

  async #write(capture: Capture): Promise<SnapshotMeta> {
    let writer: SnapshotWriter | null = null;
    let ended = false;
    try {
      writer = await this.#options.storage.createSnapshot();
      let next = await capture.first;
      for (let unyielded = 0; !next.done; next = await capture.chunks.next()) {
        this.#requireWanted(capture.index);
        await writer.write(next.value);
        unyielded += next.value.length + 1024;
        if (unyielded < YIELD_BYTES) continue;
        unyielded = 0;
        await new Promise<void>((resolve) => this.#options.host.enqueue(resolve));
      }
      ended = true;
      const meta: SnapshotMeta = {
        id: randomName(() => this.#options.host.random()),
        index: capture.index,
        term: capture.term,
        membership: capture.membership,
        size: writer.offset,
        checksum: writer.checksum,
      };
      await writer.stage(meta);
      await this.#makeNewest(meta);
      return meta;
    } catch (error) {
      if (!ended) capture.chunks.return?.()?.catch(() => {});
      writer?.abort().catch(() => {});
      throw error;
    }
  }

  #makeNewest(meta: SnapshotMeta): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#options.persist({
        meta,
        wanted: () => this.#wanted(meta.index),
        done: (outcome) => {
          if (outcome === "durable") resolve();
          else reject(outcome === "superseded" ? superseded() : outcome.error);
        },
      });
    });
  }

  #wanted(index: number): boolean {
    return this.#ended === null && index > (this.#options.newest()?.index ?? 0);
  }

  #requireWanted(index: number): void {
    if (!this.#wanted(index)) throw superseded();
  }
}

function superseded(): RaftError {
  return new RaftError("busy", "a newer snapshot was installed meanwhile, or the node ended");
}
