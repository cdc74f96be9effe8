/**
 * Sends the newest snapshot to peers whose next entry is compacted away (§7): a few
 * chunks at a time, no faster than the cap, from the offset that the peer asks for.
 */

import type { Cancel } from "../clock.ts";
import type { InstallSnapshotResponse, NodeId, SnapshotMeta } from "../raft/types.ts";
import type { SnapshotReader } from "../storage.ts";
import type { NodeContext } from "./context.ts";
import type { LogWriter } from "./log_writer.ts";
import type { Messenger } from "./messenger.ts";

/** The maximum number of unacknowledged chunks. */
const WINDOW_CHUNKS = 4;
/** The number of unanswered resends after which a newer snapshot is preferred. */
const MAX_RESENDS = 10;

/** The parts of a node that sending a snapshot concerns. */
export interface SenderParts {
  readonly messenger: Pick<Messenger, "send">;
  readonly logWriter: Pick<LogWriter, "failedBeside">;
}

/** The snapshot transfers of this node. */
export class SnapshotSenders {
  readonly #context: NodeContext;
  readonly #parts: SenderParts;
  readonly #transfers = new Map<NodeId, Transfer>();
  #sentBytes = 0;

  constructor(context: NodeContext, parts: SenderParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** The number of transfers under way. */
  get count(): number {
    return this.#transfers.size;
  }

  /** The bytes of all chunks sent so far. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Begins a transfer. If one to this peer is under way, the core is asked again when that ends. */
  start(peer: NodeId): void {
    const current = this.#transfers.get(peer);
    if (current !== undefined) {
      current.askAgain = true;
      return;
    }
    const transfer = new Transfer(peer, this.#context, this.#parts, {
      sent: (bytes) => this.#sentBytes += bytes,
      ended: () => this.#transfers.delete(peer),
    });
    this.#transfers.set(peer, transfer);
    transfer.open();
  }

  /** Takes the answer of a peer. */
  answered(from: NodeId, answer: InstallSnapshotResponse): void {
    this.#transfers.get(from)?.answered(answer);
  }

  /** Ends all transfers, because the leadership or the node has ended. */
  stop(): void {
    for (const transfer of [...this.#transfers.values()]) transfer.abandon();
  }
}

/** Receives the progress of a transfer. */
interface TransferListener {
  sent(bytes: number): void;
  ended(): void;
}

/** The transfer of one snapshot to one peer. The reader stays open, so that a newer snapshot does not disturb it. */
class Transfer {
  /** Set if the core has requested a snapshot again meanwhile. */
  askAgain = false;
  readonly #peer: NodeId;
  readonly #context: NodeContext;
  readonly #parts: SenderParts;
  readonly #listener: TransferListener;
  #reader: SnapshotReader | null = null;
  /** The bytes that the peer has. `0 <= acked <= next <= size` */
  #acked = 0;
  /** The next byte to send. */
  #next = 0;
  /** The offset that the peer wanted in its last answer. */
  #reported = 0;
  /** Answers since the last progress that asked for `acked` again, because a chunk was lost. */
  #repeats = 0;
  #resends = 0;
  #finalSent = false;
  /** The time before which the cap allows no further chunk. */
  #earliestMs = 0;
  #reading = false;
  #ended = false;
  #cancelPace: Cancel | null = null;
  #cancelResend: Cancel | null = null;

  constructor(peer: NodeId, context: NodeContext, parts: SenderParts, listener: TransferListener) {
    this.#peer = peer;
    this.#context = context;
    this.#parts = parts;
    this.#listener = listener;
  }

  open(): void {
    this.#context.storage.openSnapshot().then((reader) => {
      if (this.#ended) {
        reader?.close().catch(() => {});
      } else if (reader === null) {
        this.#giveUpLater();
      } else {
        this.#reader = reader;
        this.#armResend();
        this.#pump();
      }
    }).catch((error) => this.#failed(error));
  }

  answered(answer: InstallSnapshotResponse): void {
    const reader = this.#reader;
    if (this.#ended || reader === null || answer.snapshotId !== reader.meta.id) return;
    if (answer.status === "installed") {
      this.#end();
    } else if (answer.status === "failed") {
      // Not again at once: a peer whose disk is full would fail as fast as the chunks arrive.
      this.#reported = 0;
      this.#next = reader.meta.size;
      this.#finalSent = true;
    } else {
      this.#accepted(answer.offset, reader.meta.size);
    }
  }

  /** Ends without notifying the core. */
  abandon(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#release();
    this.#listener.ended();
  }

  #accepted(offset: number, size: number): void {
    if (offset > size) return;
    this.#reported = offset;
    // The peer has everything, and may take long to restore it; a newer snapshot would only begin that again.
    if (offset === size) this.#resends = 0;
    if (offset > this.#acked) {
      this.#acked = offset;
      this.#next = Math.max(this.#next, offset);
      this.#repeats = 0;
      this.#resends = 0;
      this.#armResend();
    } else if (offset === this.#acked && ++this.#repeats === 2) {
      this.#rewind(offset);
    }
    this.#pump();
  }

  #rewind(offset: number): void {
    this.#acked = offset;
    this.#next = offset;
    this.#finalSent = false;
  }

  #armResend(): void {
    this.#cancelResend?.();
    const { host, electionTimeoutMs } = this.#context.config;
    this.#cancelResend = host.clock.setTimer(electionTimeoutMs, () => {
      const newest = this.#context.raft.snapshot;
      if (++this.#resends >= MAX_RESENDS && newest !== null && newest.id !== this.#reader?.meta.id) {
        this.#giveUp();
        return;
      }
      this.#repeats = 0;
      this.#rewind(this.#reported);
      this.#armResend();
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#ended || this.#reading || this.#reader === null || this.#cancelPace !== null) return;
    const { snapshotChunkBytes, host } = this.#context.config;
    if (this.#finalSent || this.#next - this.#acked >= WINDOW_CHUNKS * snapshotChunkBytes) return;
    const waitMs = this.#earliestMs - host.clock.monotonicMs();
    if (waitMs > 0) {
      this.#cancelPace = host.clock.setTimer(waitMs, () => {
        this.#cancelPace = null;
        this.#pump();
      });
      return;
    }
    this.#sendChunk(this.#reader, this.#next);
  }

  #sendChunk(reader: SnapshotReader, offset: number): void {
    this.#reading = true;
    const length = Math.min(this.#context.config.snapshotChunkBytes, reader.meta.size - offset);
    reader.read(offset, length).then((data) => {
      this.#reading = false;
      if (this.#ended) return;
      // An answer may have moved `next` meanwhile; then another chunk is wanted.
      if (this.#next === offset) this.#dispatch(reader.meta, offset, data);
      // Heartbeats and other messages first.
      if (!this.#ended) this.#context.config.host.enqueue(() => this.#pump());
    }).catch((error) => {
      this.#reading = false;
      this.#failed(error);
    });
  }

  #failed(error: unknown): void {
    if (this.#ended) return;
    this.#parts.logWriter.failedBeside(error);
    this.#giveUpLater();
  }

  #dispatch(meta: SnapshotMeta, offset: number, data: Uint8Array): void {
    const { snapshotBytesPerSecond, host } = this.#context.config;
    const message = this.#context.raft.snapshotMessage(this.#peer, meta, offset, data);
    if (message === null) {
      this.#end();
      return;
    }
    this.#next = offset + data.length;
    this.#finalSent = this.#next === meta.size;
    if (snapshotBytesPerSecond > 0) {
      const nowMs = host.clock.monotonicMs();
      this.#earliestMs = Math.max(nowMs, this.#earliestMs) + data.length / snapshotBytesPerSecond * 1000;
    }
    this.#listener.sent(data.length);
    this.#parts.messenger.send(this.#peer, message);
  }

  #end(): void {
    if (this.askAgain) this.#giveUp();
    else this.abandon();
  }

  /** Gives up after a while: a snapshot that can't be read now would fail again as fast as the core requests it. */
  #giveUpLater(): void {
    if (this.#ended) return;
    this.#release();
    this.#reader = null;
    const { host, electionTimeoutMs } = this.#context.config;
    this.#cancelResend = host.clock.setTimer(electionTimeoutMs, () => this.#giveUp());
  }

  #release(): void {
    this.#cancelPace?.();
    this.#cancelResend?.();
    this.#reader?.close().catch(() => {});
  }

  #giveUp(): void {
    if (this.#ended) return;
    this.abandon();
    this.#context.raft.snapshotFailed(this.#peer);
    this.#context.wake();
  }
}
