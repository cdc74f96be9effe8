/**
 * The log's files, and a few of them open for reading.
 */

import { damaged } from "./file_errors.ts";
import type { FileHandle } from "./file_system.ts";
import type { Folder } from "./folder.ts";
import { segmentName, segmentSequence } from "./segment.ts";

const maxOpen = 8;

export interface SegmentFile {
  readonly sequence: number;
  readonly path: string;
  /** The end of its last whole batch. */
  size: number;
}

interface OpenFile {
  readonly file: Promise<FileHandle>;
  users: number;
}

/**
 * Returns the numbers of the segments among the files of a folder, oldest first.
 *
 * @throws {StorageError} `damaged`, if there are none
 */
export function sequencesIn(folder: Folder, names: readonly string[]): number[] {
  const sequences = names.map(segmentSequence).filter((each) => each !== undefined);
  if (sequences.length === 0) throw damaged(folder.pathOf(segmentName(1)), 0, "the log is missing");
  return sequences.sort((a, b) => a - b);
}

/** The segments, oldest first; the last is the one being written. */
export class SegmentFiles {
  readonly #folder: Folder;
  readonly #segments: SegmentFile[] = [];
  /** Open files, least recently used first. */
  readonly #open = new Map<number, OpenFile>();
  #active: FileHandle | null = null;

  constructor(folder: Folder) {
    this.#folder = folder;
  }

  get count(): number {
    return this.#segments.length;
  }

  get oldest(): SegmentFile {
    return this.#segments[0]!;
  }

  get newest(): SegmentFile {
    return this.#segments.at(-1)!;
  }

  /** The newest segment's file, open for writing. */
  get active(): FileHandle {
    return this.#active!;
  }

  get(sequence: number): SegmentFile | undefined {
    return this.#segments[sequence - (this.#segments[0]?.sequence ?? 0)];
  }

  /** Adds the newest segment; with its handle if it is the last one, which is written. */
  add(sequence: number, size: number, file?: FileHandle): void {
    this.#segments.push({ sequence, path: this.pathOf(sequence), size });
    if (file === undefined) return;
    this.#open.set(sequence, { file: Promise.resolve(file), users: 0 });
    this.#active = file;
  }

  pathOf(sequence: number): string {
    return this.#folder.pathOf(segmentName(sequence));
  }

  /** Calls `use` with the segment's file. */
  async read<T>(segment: SegmentFile, use: (file: FileHandle) => Promise<T>): Promise<T> {
    const { sequence, path } = segment;
    const open = this.#open.get(sequence) ?? { file: this.#folder.fs.open(path, "read"), users: 0 };
    this.#open.delete(sequence);
    this.#open.set(sequence, open);
    open.users++;
    try {
      const file = await open.file.catch((error: unknown) => {
        if (this.#open.get(sequence) === open) this.#open.delete(sequence);
        throw error;
      });
      return await use(file);
    } finally {
      open.users--;
      await this.#closeIdle(open);
    }
  }

  /** Removes the oldest segment from the list; the caller deletes the file. */
  async removeOldest(): Promise<SegmentFile> {
    const segment = this.#segments.shift()!;
    const open = this.#open.get(segment.sequence);
    this.#open.delete(segment.sequence);
    if (open !== undefined) await this.#closeIdle(open);
    return segment;
  }

  async close(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map((each) => each.file.then((file) => file.close()).catch(() => {})));
  }

  /** Closes files that are no longer needed, and keeps only a few open. */
  async #closeIdle(used: OpenFile): Promise<void> {
    const idle: OpenFile[] = [];
    if (used.users === 0 && ![...this.#open.values()].includes(used)) idle.push(used);
    for (const [sequence, open] of this.#open) {
      if (this.#open.size <= maxOpen) break;
      if (open.users > 0 || sequence === this.newest.sequence) continue;
      this.#open.delete(sequence);
      idle.push(open);
    }
    for (const { file } of idle) await file.then((handle) => handle.close()).catch(() => {});
  }
}
