/// <reference lib="dom" />
/**
 * The disk of a machine whose node runs in a browser: the databases and locks of one
 * profile, below the real storage in IndexedDB, and their faults.
 */

import type { Storage } from "../../lib/storage.ts";
import type { Survival } from "../../storage/file/fake_file_system.ts";
import { IndexedDbStorage } from "../../storage/indexeddb/indexeddb_storage.ts";
import type { DatabasePlatform } from "../../storage/indexeddb/platform.ts";
import { DatabaseFolder, SimulatedFactory } from "../database/factory.ts";
import type { LiveConnection } from "../database/stored_database.ts";
import { LockTable, SimulatedLocks } from "../database/locks.ts";
import { DATABASE_OPERATIONS } from "../database/medium.ts";
import type { DatabaseFault, DatabaseOperation, Medium } from "../database/medium.ts";
import type { Key } from "../database/records.ts";
import { domError } from "../database/transaction.ts";
import type { Stream } from "../decisions.ts";
import type { Run } from "../run.ts";
import { isWell, noTroubles } from "./disk.ts";
import type { DiskTroubles, MachineDisk, StorageSettings } from "./disk.ts";
import type { Process } from "./process.ts";

/** The site's name for the cluster. */
const CLUSTER_ID = "simulated";
/** The first code of database operations in the trace; files have those below. */
const FIRST_MARK = 32;
/** The duration of operations, in microseconds. */
const LATENCY_US: Readonly<Record<DatabaseOperation, number>> = { open: 500, read: 60, write: 60, commit: 800 };
/** The time within which a node gives up a database that was taken from it, in virtual microseconds. */
const GIVE_UP_US = 1_000_000;
/** Errors of a browser that follow from a fault of its disk. */
const FAULT_NAMES: ReadonlySet<string> = new Set(["UnknownError", "QuotaExceededError", "AbortError"]);

/** The ways in which a browser takes a database away from a running node. */
export const DATABASE_LOSSES = ["closed", "stolen", "deleted"] as const;

export type DatabaseLoss = typeof DATABASE_LOSSES[number];

export class DatabaseDisk implements MachineDisk {
  readonly #run: Run;
  readonly #machine: number;
  readonly #chance: Stream;
  readonly #nodeId: string;
  readonly #folder: DatabaseFolder;
  readonly #locks = new LockTable();
  #process: Process | null = null;
  #medium: Medium | null = null;
  /** Set once the database was taken away from the present process, which may not know it yet. */
  #taken = false;
  troubled = false;
  hangs = false;
  troubles: DiskTroubles = noTroubles();

  constructor(run: Run, machine: number, nodeId: string, chance: Stream) {
    this.#run = run;
    this.#machine = machine;
    this.#nodeId = nodeId;
    this.#chance = chance;
    this.#folder = new DatabaseFolder(() =>
      run.report("a disk in doubt is left alone", `${nodeId} writes to its database after a commit failed`)
    );
  }

  begin(process: Process, survival: Survival | null): void {
    const chance = this.#chance.next();
    const survives = survival === "none" || survival === "all" ? () => survival === "all" : () => chance.chance(0.5);
    for (const stored of this.#folder.all) stored.restart(survives, survival !== null);
    // The browser notices the end of a tab a moment later.
    const release = this.#locks.abandon();
    const lateUs = survival === null ? chance.pick([0, 0, 30_000])! : 0;
    if (lateUs === 0) release();
    else this.#run.scheduler.after(lateUs, null, release);
    this.#process = process;
    this.#medium = this.#mediumOf(process);
    this.#taken = false;
    this.troubled = false;
    this.hangs = false;
  }

  get isWell(): boolean {
    return !this.#taken && !this.hangs && isWell(this.troubles);
  }

  heal(): void {
    this.troubles = noTroubles();
  }

  storage({ onLost }: StorageSettings): Storage {
    const lockWaitMs = this.#chance.next().pick([0, 0, 100])!;
    return new IndexedDbStorage({ ...this.#place, lockWaitMs, onLost }, this.#platform(this.#process!, this.#medium!));
  }

  explains(error: Error): boolean {
    return this.troubled && error instanceof DOMException && FAULT_NAMES.has(error.name);
  }

  /** Flips a bit of an entry or chunk, or removes a record that can't be done without. */
  rot(): string | null {
    const stored = this.#folder.of(this.#name);
    const all = (name: string): Key[] => stored.records.keys({ lower: [name], upper: [name, []] });
    const chance = this.#chance.next();
    if (this.#process?.alive !== true && stored.version > 0 && chance.chance(0.5)) {
      stored.clear();
      stored.lostAll = true;
      return "all of it, so that the browser deletes it";
    }
    const key = chance.pick([...all("entry"), ...all("chunk"), "hardState", "log"] as Key[])!;
    const value = stored.records.get(key);
    if (value === undefined) return null;
    const bytes = value instanceof Uint8Array ? value : (value as { readonly data?: Uint8Array }).data;
    if (bytes === undefined || bytes.length === 0 || chance.chance(0.3)) {
      stored.records.delete({ lower: key, upper: key });
      return `record ${key}, which is gone`;
    }
    bytes[chance.below(bytes.length)]! ^= 1 << chance.below(8);
    return `record ${key}`;
  }

  /**
   * Takes the database away from the node, and checks that it gives it up.
   *
   * @param isRunning reports whether the node has opened its storage
   * @param done called once the database is taken
   */
  lose(how: DatabaseLoss, isRunning: () => boolean, done: () => void): boolean {
    const connection = this.#connection();
    if (connection === null) return false;
    const process = this.#process!;
    this.#taken = true;
    this.troubled = true;
    const other = this.#otherTab();
    if (how === "closed") {
      connection.forceClose();
      done();
    } else if (how === "deleted") {
      new SimulatedFactory(this.#folder, other).deleteDatabase(this.#name).onsuccess = done;
    } else {
      const hold = (): Promise<void> => this.#run.scheduler.sleep(200_000);
      void new SimulatedLocks(this.#locks, other).request(this.#name, { steal: true }, hold);
      done();
    }
    const look = (): void => {
      if (this.#process !== process || !process.alive || connection.isClosed) return;
      // One that waits for a disk to open its storage writes nothing yet.
      if (process.frozen || !isRunning()) return void this.#run.scheduler.after(GIVE_UP_US, null, look);
      this.#run.report("a database is for one tab", `${this.#nodeId} goes on although its database was ${how}`);
    };
    this.#run.scheduler.after(GIVE_UP_US, null, look);
    return true;
  }

  /** Opens the same storage in another tab, which must be refused as long as the node runs. */
  openTwice(): boolean {
    const connection = this.#connection();
    if (connection === null) return false;
    const process = this.#process!;
    const medium = this.#otherTab();
    const storage = new IndexedDbStorage(this.#place, this.#platform(process, medium));
    storage.load().then(() => {
      if (!connection.isClosed && process.alive) {
        this.#run.report("a database is for one tab", `${this.#nodeId} is open in two tabs`);
      }
      return storage.close();
    }).catch(() => {});
    return true;
  }

  get #place(): { readonly clusterId: string; readonly nodeId: string } {
    return { clusterId: CLUSTER_ID, nodeId: this.#nodeId };
  }

  get #name(): string {
    return new IndexedDbStorage(this.#place).name;
  }

  /** The connection of the running node; `null` if there is none. */
  #connection(): LiveConnection | null {
    const own = (connection: LiveConnection) => connection.medium === this.#medium && !connection.isClosed;
    return this.#process?.alive ? [...this.#folder.of(this.#name).connections].find(own) ?? null : null;
  }

  #platform(process: Process, medium: Medium): DatabasePlatform {
    return {
      databases: () => new SimulatedFactory(this.#folder, medium) as unknown as IDBFactory,
      locks: () => new SimulatedLocks(this.#locks, medium) as unknown as LockManager,
      bound: (lower, upper) => ({ lower, upper }) as IDBKeyRange,
      timeoutSignal: (ms) => {
        const controller = new AbortController();
        process.clock.setTimer(ms, () => controller.abort(domError("TimeoutError", "signal timed out")));
        return controller.signal;
      },
    };
  }

  #mediumOf(process: Process): Medium {
    const { scheduler, trace } = this.#run;
    return {
      ...this.#otherTab(),
      perform: (operation, then) => {
        let done = false;
        process.perform(() => done = true);
        if (!done) return;
        trace.mark("disk", this.#machine, FIRST_MARK + DATABASE_OPERATIONS.indexOf(operation));
        if (this.troubles.slowness > 1) this.troubled = true;
        scheduler.after(this.#latencyUs(operation), process.actor, () =>
          process.wake(() => {
            const fault = this.#fault(operation);
            if (fault !== "hang") then(fault);
          }));
      },
      soon: (task) => void scheduler.after(10, process.actor, () => process.wake(task)),
      hasRoom: (bytes) => this.#hasRoom(bytes),
      get step() {
        return scheduler.steps;
      },
    };
  }

  /** The medium of another tab, which has no faults. */
  #otherTab(): Medium {
    const { scheduler } = this.#run;
    return {
      perform: (operation, then) => void scheduler.after(LATENCY_US[operation], null, () => then(null)),
      soon: (task) => void scheduler.after(10, null, task),
      hasRoom: () => true,
      chance: (probability) => this.#chance.next().chance(probability),
      get step() {
        return scheduler.steps;
      },
    };
  }

  #latencyUs(operation: DatabaseOperation): number {
    const usualUs = LATENCY_US[operation];
    return Math.ceil((usualUs / 4 + this.#chance.next().below(usualUs)) * this.troubles.slowness);
  }

  #hasRoom(bytes: number): boolean {
    const { troubles } = this;
    if (troubles.room === null) return true;
    if (bytes <= troubles.room) {
      troubles.room -= bytes;
      return true;
    }
    this.troubled = true;
    this.#run.trace.count("database: no room");
    return false;
  }

  /** Decides on a fault, by the names that the faults of files have. */
  #fault(operation: DatabaseOperation): DatabaseFault | "hang" | null {
    const { next, readErrors } = this.troubles;
    const kinds = operation === "commit"
      ? ["sync", "syncDirectory"] as const
      : operation === "open"
      ? ["open"] as const
      : operation === "write"
      ? ["write", "rename", "truncate"] as const
      : [];
    const kind = kinds.find((each) => next.has(each));
    if (kind === undefined) {
      if (operation !== "read" || readErrors === 0 || !this.#chance.next().chance(readErrors)) return null;
      this.troubled = true;
      this.#run.trace.count("database: read fails");
      return "error";
    }
    const hangs = next.get(kind) === "hang";
    next.delete(kind);
    this.troubled = true;
    this.#run.trace.count(`database: ${operation} ${hangs ? "hangs" : "fails"}`);
    if (!hangs) return "error";
    this.hangs = true;
    return "hang";
  }
}
