/**
 * A machine's disk: the file system of the real file storage, and its faults. It
 * outlives the processes that use it.
 */

import { FAKE_OPERATIONS, FakeFileSystem } from "../../storage/file/fake_file_system.ts";
import type { FakeFault, FakeOperation, FakeOperationType, Survival } from "../../storage/file/fake_file_system.ts";
import { segmentSequence } from "../../storage/file/segment.ts";
import { FileStorage } from "../../storage/file/file_storage.ts";
import type { Storage } from "../../lib/storage.ts";
import { errorCode } from "../../storage/file/file_system.ts";
import type { Stream } from "../decisions.ts";
import type { Run } from "../run.ts";
import type { Process } from "./process.ts";

export const FOLDER = "/data";

/** The faults of a disk until it is healed. */
export interface DiskTroubles {
  /** The free space in bytes; `null` for no limit. */
  room: number | null;
  /** The fault of the next operation of a kind. */
  readonly next: Map<FakeOperationType, "EIO" | "hang">;
  /** The probability that a write takes fewer bytes than given. */
  shortWrites: number;
  readErrors: number;
  /** The factor by which it is slower than usual. */
  slowness: number;
}

/** A storage's options that depend on its process. */
export interface StorageSettings {
  readonly segmentBytes: number;
  /** Called once if the data is taken away from a running node. */
  readonly onLost: (error: unknown) => void;
}

/** The medium of a machine's data, which outlives the processes that use it. */
export interface MachineDisk {
  /** Set once any fault happened to the present process. */
  readonly troubled: boolean;
  /** Set once an operation of the present process hangs forever. */
  readonly hangs: boolean;
  troubles: DiskTroubles;
  /** True if it has no fault at present, and none due at its next operation. */
  readonly isWell: boolean;
  /** Begins with a new process; `survival` determines the unsynced data that survives, if the machine lost power. */
  begin(process: Process, survival: Survival | null): void;
  /** Ends all faults. Operations that hang already still hang. */
  heal(): void;
  /** Damages durable data so that it must be noticed; returns its place, or `null` if there is none. */
  rot(): string | null;
  /** Creates the real storage on this disk, for the present process. */
  storage(settings: StorageSettings): Storage;
  /** Reports whether an error, or a cause of one, comes from a fault of this disk. */
  explains(error: Error): boolean;
}

/** The duration of operations, in microseconds: those that wait for the medium take longest. */
const LATENCY_US: Partial<Record<FakeOperationType, number>> = { sync: 800, syncDirectory: 300 };

/** Reports whether there is no fault at present, and none due at the next operation. */
export function isWell({ room, next, shortWrites, readErrors, slowness }: DiskTroubles): boolean {
  return room === null && next.size === 0 && shortWrites === 0 && readErrors === 0 && slowness === 1;
}

export function noTroubles(): DiskTroubles {
  return { room: null, next: new Map(), shortWrites: 0, readErrors: 0, slowness: 1 };
}

export class Disk implements MachineDisk {
  readonly #run: Run;
  readonly #machine: number;
  readonly #chance: Stream;
  /** The file system, for the present process. */
  readonly fileSystem: FakeFileSystem = new FakeFileSystem();
  /** Files whose sync has failed in the present process. */
  readonly #doubtful = new Set<string>();
  #process: Process | null = null;
  /** Set once any fault happened to the present process. */
  troubled = false;
  /** Set once an operation of the present process hangs forever. */
  hangs = false;
  troubles: DiskTroubles = noTroubles();

  constructor(run: Run, machine: number, chance: Stream) {
    this.#run = run;
    this.#machine = machine;
    this.#chance = chance;
    this.fileSystem.intercept = (operation) => this.#intercept(operation);
  }

  begin(process: Process, survival: Survival | null): void {
    if (survival === null) this.fileSystem.kill();
    else this.fileSystem.restart(survival, this.#chance.random);
    this.#process = process;
    this.troubled = false;
    this.hangs = false;
    this.#doubtful.clear();
  }

  get isWell(): boolean {
    return !this.hangs && isWell(this.troubles);
  }

  heal(): void {
    this.troubles = noTroubles();
  }

  /** Flips a bit of a byte that was durable before the last sync; returns its place, or `null` if there is none. */
  rot(): string | null {
    const names = this.fileSystem.paths().filter((path) => path.startsWith(`${FOLDER}/`) && !path.endsWith(".tmp"));
    const newest = names.filter((path) => segmentSequence(path.slice(FOLDER.length + 1)) !== undefined).sort().at(-1);
    const path = this.#chance.next().pick(names);
    if (path === undefined) return null;
    // In the newest segment, damage to the last batch looks like a torn write.
    const bytes = path === newest ? this.fileSystem.settledBytes(path) : this.fileSystem.durableBytes(path);
    if (bytes === 0) return null;
    const offset = this.#chance.below(bytes);
    this.fileSystem.rot(path, offset, 1 << this.#chance.below(8));
    return `${path} at ${offset}`;
  }

  storage({ segmentBytes }: StorageSettings): Storage {
    return new FileStorage(this.fileSystem, FOLDER, { segmentBytes });
  }

  explains(error: Error): boolean {
    return ["EIO", "ENOSPC"].includes(errorCode(error));
  }

  #intercept(operation: FakeOperation): Promise<FakeFault | undefined> | FakeFault | undefined {
    const process = this.#process;
    if (process === null) return { type: "hang" };
    let done = false;
    process.perform(() => done = true);
    if (!done) return { type: "hang" };
    this.#run.trace.mark("disk", this.#machine, FAKE_OPERATIONS.indexOf(operation.type), operation.length);
    if (!process.alive) return { type: "crash", when: "after" };
    if (this.troubles.slowness > 1) this.troubled = true;
    const latencyUs = this.#latencyUs(operation);
    if (latencyUs === 0) return this.#fault(operation);
    return new Promise((resolve) => {
      const finish = (): void => process.wake(() => resolve(this.#fault(operation)));
      this.#run.scheduler.after(latencyUs, process.actor, finish);
    });
  }

  #latencyUs({ type }: FakeOperation): number {
    const usualUs = LATENCY_US[type];
    if (usualUs !== undefined) {
      return Math.ceil((usualUs / 4 + this.#chance.next().below(usualUs)) * this.troubles.slowness);
    }
    return this.troubles.slowness > 1 ? this.#chance.next().below(1000 * this.troubles.slowness) : 0;
  }

  #fault({ type, path, length, growth }: FakeOperation): FakeFault | undefined {
    const { troubles } = this;
    if (type === "sync" && this.#doubtful.has(path)) {
      this.#run.report("a disk in doubt is left alone", `${path} is synced again after a sync of it failed`);
    }
    const next = troubles.next.get(type);
    if (next !== undefined) {
      this.troubled = true;
      troubles.next.delete(type);
      this.#run.trace.count(`disk: ${type} ${next === "hang" ? "hangs" : "fails"}`);
      if (next === "hang") {
        this.hangs = true;
        return { type: "hang" };
      }
      if (type === "sync") this.#doubtful.add(path);
      return type === "write"
        ? { type: "error", code: next, ...this.#takenBytes(length) }
        : { type: "error", code: next };
    }
    if (type === "read" && this.#happens(troubles.readErrors)) {
      this.troubled = true;
      this.#run.trace.count("disk: read fails");
      return { type: "error", code: "EIO" };
    }
    if (type !== "write" || length === 0) return undefined;
    return this.#writeFault(length, growth);
  }

  /** Decides how much a failing write has taken: mostly nothing, sometimes all. */
  #takenBytes(length: number): { readonly bytes?: number } {
    const chance = this.#run.decisions.stream(`taken ${this.#machine}`).next();
    if (chance.chance(0.5)) return {};
    this.#run.trace.count("disk: write fails after its bytes");
    return { bytes: chance.chance(0.7) ? length : chance.below(length + 1) };
  }

  /** Decides on a fault of a write: no space, perhaps after some bytes, or a short write. */
  #writeFault(length: number, growth: number): FakeFault | undefined {
    const { troubles } = this;
    if (troubles.room !== null) {
      const fits = Math.min(troubles.room, growth);
      troubles.room -= fits;
      if (fits === growth) return undefined;
      this.troubled = true;
      this.#run.trace.count("disk: no space");
      const bytes = length - growth + fits;
      return bytes === 0 ? { type: "error", code: "ENOSPC" } : { type: "short", bytes };
    }
    if (length < 2 || !this.#happens(troubles.shortWrites)) return undefined;
    this.#run.trace.count("disk: short write");
    return { type: "short", bytes: 1 + this.#chance.below(length - 1) };
  }

  #happens(probability: number): boolean {
    return probability > 0 && this.#chance.next().chance(probability);
  }
}
