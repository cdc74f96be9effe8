/// <reference lib="dom" />
/** A browser's profile with simulated databases and locks, in real time, for tests of the storage in IndexedDB. */

import { systemHost } from "../../lib/host.ts";
import { DatabaseFolder, SimulatedFactory } from "../../simulation/database/factory.ts";
import { LockTable, SimulatedLocks } from "../../simulation/database/locks.ts";
import type { DatabaseFault, DatabaseOperation, Medium } from "../../simulation/database/medium.ts";
import type { StoredDatabase } from "../../simulation/database/stored_database.ts";
import type { DatabasePlatform } from "../../storage/indexeddb/platform.ts";
import { IndexedDbStorage } from "../../storage/indexeddb/indexeddb_storage.ts";
import type { IndexedDbStorageOptions } from "../../storage/indexeddb/indexeddb_storage.ts";

export class SimulatedProfile {
  /** The faults of the next operations of a kind. */
  readonly faults = new Map<DatabaseOperation, DatabaseFault>();
  /** The operation that hangs from now on. */
  hanging: DatabaseOperation | null = null;
  room = Infinity;
  /** The number of writes after a failed commit. */
  doubted = 0;
  readonly #folder = new DatabaseFolder(() => this.doubted++);
  readonly #locks = new LockTable();
  #life = 0;
  #step = 0;

  /** Creates a storage in one of its tabs. */
  open(options: Partial<IndexedDbStorageOptions> = {}): IndexedDbStorage {
    return new IndexedDbStorage({ clusterId: "c", nodeId: "n1", ...options }, this.platform());
  }

  /** Returns what a tab sees. */
  platform(): DatabasePlatform {
    const medium = this.#medium();
    return {
      databases: () => new SimulatedFactory(this.#folder, medium) as unknown as IDBFactory,
      locks: () => new SimulatedLocks(this.#locks, medium) as unknown as LockManager,
      bound: (lower, upper) => ({ lower, upper }) as IDBKeyRange,
      timeoutSignal: (ms) => AbortSignal.timeout(ms),
    };
  }

  stored(name: string): StoredDatabase {
    return this.#folder.of(name);
  }

  /** Ends all tabs; `survives` decides on a commit that has begun. */
  crash(survives: boolean, losesPower: boolean): void {
    this.#life++;
    this.hanging = null;
    for (const stored of this.#folder.all) stored.restart(() => survives, losesPower);
    this.#locks.abandon()();
  }

  #medium(): Medium {
    const life = this.#life;
    const { enqueue } = systemHost();
    const step = (): number => this.#step;
    const soon = (task: () => void): void =>
      enqueue(() => {
        if (life !== this.#life) return;
        this.#step++;
        task();
      });
    return {
      get step() {
        return step();
      },
      soon,
      perform: (operation, then) => {
        if (this.hanging === operation) return;
        soon(() => {
          const fault = this.faults.get(operation) ?? null;
          this.faults.delete(operation);
          then(fault);
        });
      },
      hasRoom: (bytes) => (this.room -= bytes) >= 0,
      chance: () => false,
    };
  }
}
