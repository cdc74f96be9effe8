/**
 * The trial of a snapshot from the leader: the state machine reads all of it before it
 * takes the place of anything durable. Bytes that were sent by mistake, or by a false
 * leader, must not cost the node its own snapshot and log.
 */

import { crc32c } from "../crc32c.ts";
import { StorageError } from "../errors.ts";
import type { SnapshotMeta } from "../raft/types.ts";
import type { StateMachine } from "../state_machine.ts";
import type { SnapshotReader } from "../storage.ts";
import { MAX_CHUNK_BYTES } from "./config.ts";
import { asStorageError, messageOf } from "./errors.ts";

/** A snapshot from the leader, staged in the storage. */
export interface StagedSnapshot {
  readonly meta: SnapshotMeta;
  /** Opens its bytes. */
  readonly open: () => Promise<SnapshotReader>;
  /** Puts it in force, in the turn in which the state machine has restored it; returns whether it is. */
  readonly install: () => boolean;
}

/** Thrown when the state machine can't restore a snapshot of the leader. Its state, and all that is durable, is what it was. */
export class UnreadableSnapshot extends Error {
  override readonly name = "UnreadableSnapshot";
}

/** Yields the chunks of a snapshot. Other tasks, such as heartbeats, get their turn after each of them. */
export async function* chunksOf(reader: SnapshotReader, turn: () => Promise<void>): AsyncGenerator<Uint8Array> {
  const { size, checksum } = reader.meta;
  let actual = 0;
  for (let offset = 0; offset < size;) {
    const chunk = await reader.read(offset, MAX_CHUNK_BYTES);
    if (chunk.length === 0) break;
    actual = crc32c(chunk, actual);
    offset += chunk.length;
    yield chunk;
    await turn();
  }
  if (actual !== checksum) {
    throw new StorageError(`the snapshot at index ${reader.meta.index} is damaged`, {
      code: "damaged",
      disk: "unchanged",
      hint: "Remove this node from the cluster, and add it again with an empty storage.",
    });
  }
}

/** The end of a trial. With an error, or if it is not installed, the state machine has its former state. */
export type RestoreOutcome = { readonly installed: boolean } | { readonly error: UnreadableSnapshot | StorageError };

/**
 * Restores a staged snapshot and puts it in force. If either fails, the state machine
 * gets its former state back.
 *
 * @throws if that fails, too: then the state is unknown
 */
export async function restoreStaged(
  stateMachine: StateMachine,
  staged: StagedSnapshot,
  turn: () => Promise<void>,
): Promise<RestoreOutcome> {
  const former = capture(stateMachine);
  const error = await restore(stateMachine, staged, turn);
  const installed = error === null && staged.install();
  if (installed || (error !== null && stateMachine.restoresAtomically === true)) await former.end();
  else await stateMachine.restore(former.chunks());
  return error === null ? { installed } : { error };
}

/** Returns the reason why the snapshot can't be restored; `null` if it was. */
async function restore(
  stateMachine: StateMachine,
  staged: StagedSnapshot,
  turn: () => Promise<void>,
): Promise<UnreadableSnapshot | StorageError | null> {
  let storageError: unknown = null;
  let reader: SnapshotReader;
  const chunks = async function* (opened: SnapshotReader): AsyncGenerator<Uint8Array> {
    try {
      yield* chunksOf(opened, turn);
    } catch (error) {
      storageError = error;
      throw error;
    }
  };
  try {
    reader = await staged.open();
  } catch (error) {
    return asStorageError(error);
  }
  try {
    await stateMachine.restore(chunks(reader));
    return null;
  } catch (cause) {
    return storageError !== null ? asStorageError(storageError) : new UnreadableSnapshot(messageOf(cause), { cause });
  } finally {
    await reader.close().catch(() => {});
  }
}

/** Captures the state in this call, or in the first `next` (see {@linkcode StateMachine.snapshot}). */
function capture(stateMachine: StateMachine): { chunks(): AsyncGenerator<Uint8Array>; end(): Promise<void> } {
  const iterator = stateMachine.snapshot()[Symbol.asyncIterator]();
  const first = iterator.next();
  first.catch(() => {});
  return {
    async *chunks() {
      for (let next = await first; !next.done; next = await iterator.next()) yield next.value;
    },
    async end() {
      await iterator.return?.();
    },
  };
}
