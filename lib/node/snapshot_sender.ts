/**
 * Sends the newest snapshot to peers that the log can't help any more (§7): a few
 * chunks at a time, no faster than the cap, on from wherever the peer says.
 *
 * @module
 */

import type { Cancel } from "../clock.ts";
import type { InstallSnapshotResponse, Message, NodeId, SnapshotMeta } from "../raft/types.ts";
import type { SnapshotReader } from "../storage.ts";
import type { NodeContext } from "./context.ts";
import type { LogWriter } from "./log_writer.ts";
import type { Messenger } from "./messenger.ts";

/** Chunks sent and not acknowledged, at most. */
const WINDOW_CHUNKS = 4;
/** Silent resends after which a newer snapshot is preferred, and the core asked again. */
const MAX_RESENDS = 10;

/** All transfers of this node. */
export class SnapshotSenders {
  readonly #context: NodeContext;
  readonly #messenger: Messenger;
  readonly #logWriter: LogWriter;
  readonly #transfers = new Map<NodeId, Transfer>();

  constructor(context: NodeContext, messenger: Messenger, logWriter: LogWriter) {
    this.#context = context;
    this.#messenger = messenger;
    this.#logWriter = logWriter;
  }

  /** Transfers under way. */
  get count(): number {
    return this.#transfers.size;
  }

  /** Begins, unless a transfer to this peer goes on; then the core is asked again when that ends. */
  start(peer: NodeId): void {
    const current = this.#transfers.get(peer);
    if (current !== undefined) {
      current.askAgain = true;
      return;
    }
    const transfer = new Transfer(peer, this.#context, {
      send: (message) => this.#messenger.send(peer, message),
      failed: (error) => this.#logWriter.failedBeside(error),
      ended: () => this.#transfers.delete(peer),
    });
    this.#transfers.set(peer, transfer);
    transfer.open();
  }

  /** The peer's answer. */
  answered(from: NodeId, answer: InstallSnapshotResponse): void {
    this.#transfers.get(from)?.answered(answer);
  }

  /** Ends all: leadership is gone, or the node. */
  stop(): void {
    for (const transfer of [...this.#transfers.values()]) transfer.abandon();
  }
}

/** Takes the messages of a transfer, and its end. */
interface TransferListener {
  send(message: Message): void;
  failed(error: unknown): void;
  ended(): void;
}

/** One snapshot to one peer. The reader stays open, so a newer snapshot does not disturb it. */
class Transfer {
  /** Whether the core has asked for a snapshot once more meanwhile. */
  askAgain = false;
  readonly #peer: NodeId;
  readonly #context: NodeContext;
  readonly #listener: TransferListener;
  #reader: SnapshotReader | null = null;
  /** What lies before this the peer has. `0 <= acked <= next <= size` */
  #acked = 0;
  /** The next byte to send. */
  #next = 0;
  /** What the peer wanted when it last answered. */
  #reported = 0;
  /** Answers since the last progress that asked for `acked` again: a chunk was lost. */
  #repeats = 0;
  #resends = 0;
  #finalSent = false;
  /** The cap: nothing leaves before. */
  #earliestMs = 0;
  #reading = false;
  #ended = false;
  #cancelPace: Cancel | null = null;
  #cancelResend: Cancel | null = null;

  constructor(peer: NodeId, context: NodeContext, listener: TransferListener) {
    this.#peer = peer;
    this.#context = context;
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
      // Not again at once: a peer whose disk is full would fail as fast as we send.
      this.#reported = 0;
      this.#next = reader.meta.size;
      this.#finalSent = true;
    } else {
      this.#accepted(answer.offset, reader.meta.size);
    }
  }

  /** Ends without a word to the core. */
  abandon(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelPace?.();
    this.#cancelResend?.();
    this.#reader?.close().catch(() => {});
    this.#listener.ended();
  }

  #accepted(offset: number, size: number): void {
    if (offset > size) return;
    this.#reported = offset;
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
      // An answer may have moved on meanwhile; then another chunk is wanted.
      if (this.#next === offset) this.#dispatch(reader.meta, offset, data);
      // Heartbeats and others first.
      if (!this.#ended) this.#context.config.host.enqueue(() => this.#pump());
    }).catch((error) => {
      this.#reading = false;
      this.#failed(error);
    });
  }

  #failed(error: unknown): void {
    if (this.#ended) return;
    this.#listener.failed(error);
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
    this.#listener.send(message);
  }

  #end(): void {
    if (this.askAgain) this.#giveUp();
    else this.abandon();
  }

  /** What can't be read now would fail again as fast as the core asks for it. */
  #giveUpLater(): void {
    if (this.#ended) return;
    this.#cancelPace?.();
    this.#cancelResend?.();
    this.#reader?.close().catch(() => {});
    this.#reader = null;
    const { host, electionTimeoutMs } = this.#context.config;
    this.#cancelResend = host.clock.setTimer(electionTimeoutMs, () => this.#giveUp());
  }

  #giveUp(): void {
    if (this.#ended) return;
    this.abandon();
    this.#context.raft.snapshotFailed(this.#peer);
    this.#context.wake();
  }
}
