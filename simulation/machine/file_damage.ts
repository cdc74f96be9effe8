/**
 * Damage of single files of a folder, while no process uses it: by a person who tidies
 * up, a copy of the wrong files, or a file system that was repaired.
 *
 * Nothing is done that looks like a crash. A newest segment that is missing or cut at
 * the border of a batch can't be told from one whose last batches were never written,
 * so the newest segment is only emptied, or replaced by another node's.
 */

import type { FakeFileSystem } from "../../storage/file/fake_file_system.ts";
import { manifestName } from "../../storage/file/manifest.ts";
import { parseRecord } from "../../storage/file/record.ts";
import { segmentName, segmentSequence } from "../../storage/file/segment.ts";
import { isSnapshotName, snapshotName } from "../../storage/file/snapshot_files.ts";
import type { Stream } from "../decisions.ts";
import { FOLDER } from "./disk.ts";

/** The files of a folder, by their kinds. */
class Files {
  readonly system: FakeFileSystem;
  /** Segments, oldest first. */
  readonly segments: readonly string[];
  readonly snapshots: readonly string[];
  /** The snapshot that the log names; `undefined` if there is none, or it can't be told from leftovers. */
  readonly snapshot: string | undefined;

  /** @param hasSnapshot set if the log names a snapshot */
  constructor(system: FakeFileSystem, hasSnapshot: boolean) {
    const names = system.paths().filter((path) => path.startsWith(`${FOLDER}/`)).map((path) => path.slice(PREFIX));
    this.system = system;
    this.segments = names.filter((name) => segmentSequence(name) !== undefined);
    this.snapshots = names.filter((name) => isSnapshotName(name) && !name.endsWith(".tmp"));
    this.snapshot = hasSnapshot && this.snapshots.length === 1 ? this.snapshots[0] : undefined;
  }

  has(name: string): boolean {
    return this.system.paths().includes(pathOf(name));
  }

  bytesOf(name: string): Uint8Array {
    return this.system.bytesOf(pathOf(name));
  }

  write(name: string, bytes: Uint8Array): void {
    this.system.setBytes(pathOf(name), bytes);
  }

  remove(name: string): void {
    this.system.remove(pathOf(name));
  }
}

const PREFIX = FOLDER.length + 1;

function pathOf(name: string): string {
  return `${FOLDER}/${name}`;
}

/** Damages a file, and returns its name; `null` if there is none to which this can happen. */
type Damage = (files: Files, other: Files, chance: Stream) => string | null;

/** Damage that the next start has to report, unless it is {@linkcode UNCERTAIN}: no part of it can be the work of a crash. */
const REPORTED: Readonly<Record<string, Damage>> = {
  "manifest gone": (files) => {
    // Without any batch, it looks like a folder whose first start was interrupted.
    const isUsed = files.segments.length > 1 ||
      files.segments.some((name) => bordersOf(files.bytesOf(name)).length > 1);
    return isUsed ? removed(files, manifestName) : null;
  },
  "oldest segment gone": (files) => removed(files, files.segments.length > 1 ? files.segments[0] : undefined),
  "segment gone": (files, _, chance) => removed(files, chance.pick(files.segments.slice(1, -1))),
  "segment emptied": (files, _, chance) => {
    const name = chance.pick(files.segments);
    if (name !== undefined) files.write(name, files.bytesOf(name).slice(0, chance.below(16)));
    return name ?? null;
  },
  "segment cut off": (files, _, chance) => {
    const name = chance.pick(files.segments.slice(0, -1));
    if (name === undefined) return null;
    const bytes = files.bytesOf(name);
    // The end of a batch, but for the last one; the next segment tells how this one ended.
    const border = chance.pick(bordersOf(bytes).slice(0, -1));
    if (border === undefined) return null;
    files.write(name, bytes.slice(0, border));
    return name;
  },
  "segments swapped": (files, _, chance) => {
    const [one, other] = chance.shuffled(files.segments);
    if (one === undefined || other === undefined) return null;
    const bytes = files.bytesOf(one);
    files.write(one, files.bytesOf(other));
    files.write(other, bytes);
    return `${one} and ${other}`;
  },
  "segment of another node": (files, other, chance) => replaced(files, other, chance.pick(files.segments)),
  "manifest of another node": (files, other) => files.segments.length > 0 ? replaced(files, other, manifestName) : null,
  "snapshot gone": (files) => removed(files, files.snapshot),
  "snapshot renamed": (files, _, chance) => {
    const name = files.snapshot;
    if (name === undefined) return null;
    files.write(snapshotName(Number(name.slice(-10)) + chance.between(1, 9)), files.bytesOf(name));
    return removed(files, name);
  },
  "snapshot cut off": (files, _, chance) => {
    const name = files.snapshot;
    if (name === undefined) return null;
    const bytes = files.bytesOf(name);
    files.write(name, bytes.slice(0, chance.below(bytes.length)));
    return name;
  },
};

/** Damage that does no harm if the snapshot covers what is gone: like after a compaction. */
const UNCERTAIN: readonly string[] = ["oldest segment gone"];

/** Changes that a start has to cope with: files that a crash could have left, or that nothing needs. */
const HARMLESS: Readonly<Record<string, Damage>> = {
  "stale manifest": (files, _, chance) => added(files, `${manifestName}.tmp`, chance),
  "stale segment": (files, _, chance) => {
    const newest = segmentSequence(files.segments.at(-1) ?? "");
    return newest === undefined ? null : added(files, `${segmentName(newest + chance.between(1, 3))}.tmp`, chance);
  },
  "stale snapshot": (files, _, chance) => {
    const newest = Number(files.snapshots.at(-1)?.slice(-10) ?? 0);
    const name = snapshotName(newest + chance.between(1, 3));
    return added(files, chance.chance(0.5) ? name : `${name}.tmp`, chance);
  },
  "foreign file": (files, _, chance) => added(files, chance.pick(["notes.txt", "log-1", "snapshot-old"])!, chance),
};

/** The names of all kinds, for the counts of a run. */
export const DAMAGES: readonly string[] = [...Object.keys(REPORTED), ...Object.keys(HARMLESS)];

/** A damage that was done. */
export interface DoneDamage {
  readonly kind: string;
  readonly where: string;
  /** Set if the next start has to report it. */
  readonly certain: boolean;
}

/**
 * Damages a file of a folder; returns `null` if nothing of the drawn kind can happen to it.
 *
 * @param other a folder of another node
 * @param hasSnapshot set if the log names a snapshot
 * @param reported set for damage that must be reported, which only lost data may get
 */
export function damageFile(
  system: FakeFileSystem,
  other: FakeFileSystem,
  hasSnapshot: boolean,
  chance: Stream,
  reported: boolean,
): DoneDamage | null {
  const kinds = reported ? REPORTED : HARMLESS;
  const kind = chance.pick(Object.keys(kinds))!;
  const files = new Files(system, hasSnapshot);
  if (!files.has(manifestName)) return null;
  const where = kinds[kind]!(files, new Files(other, false), chance);
  return where === null ? null : { kind, where, certain: reported && !UNCERTAIN.includes(kind) };
}

function removed(files: Files, name: string | undefined): string | null {
  if (name === undefined || !files.has(name)) return null;
  files.remove(name);
  return name;
}

function added(files: Files, name: string, chance: Stream): string | null {
  if (files.has(name)) return null;
  files.write(name, Uint8Array.from({ length: chance.below(100) }, () => chance.below(256)));
  return name;
}

/** Returns what tells a file from those of the same name in other folders: the header of a segment, all of a manifest. */
function headOf(name: string, bytes: Uint8Array): string {
  return (name === manifestName ? bytes : bytes.subarray(0, bordersOf(bytes)[0] ?? 0)).join();
}

/** Replaces a file by the one of the same name in another folder. */
function replaced(files: Files, other: Files, name: string | undefined): string | null {
  if (name === undefined || !files.has(name) || !other.has(name)) return null;
  const bytes = other.bytesOf(name);
  // By an earlier damage it may be a copy of this one, of now or of a while ago: that can't be told from a crash.
  if (headOf(name, bytes) === headOf(name, files.bytesOf(name))) return null;
  files.write(name, bytes);
  return name;
}

/** Returns the offsets in a segment at which a batch may begin: the end of the header, and of each batch. */
function bordersOf(bytes: Uint8Array): number[] {
  if (bytes.length < 16) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let offset = view.getUint32(12, true);
  const borders = [offset];
  for (let record = parseRecord(bytes, view, offset); record !== undefined; record = parseRecord(bytes, view, offset)) {
    offset += record.size;
    if (record.type === "commit") borders.push(offset);
  }
  return borders;
}
