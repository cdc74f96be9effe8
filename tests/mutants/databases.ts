/**
 * Rules of the storage in IndexedDB: what a transaction promises, and to which tab the data belongs.
 *
 * @module
 */

import type { DirectedTest, Mutant } from "./mutant.ts";

const DATABASE = "storage/indexeddb/database.ts";
const STORAGE = "storage/indexeddb/indexeddb_storage.ts";

/** Names a test over simulated databases. */
function over(name: string): DirectedTest {
  return { file: "tests/unit/storage/simulated_databases_test.ts", name: `simulated databases: ${name}` };
}

/** Mutants of the storage in IndexedDB. */
export const databases: readonly Mutant[] = [
  {
    name: "transaction-not-strict",
    rule: "A batch in IndexedDB is durable when its promise resolves: its transaction is strict.",
    edits: [{ file: DATABASE, find: 'durability: "strict"', replace: 'durability: "relaxed"' }],
    killedBy: "simulation",
    test: over("term, vote and entries survive"),
  },
  {
    name: "database-in-doubt-used-on",
    rule: "After a failed commit nothing more is written to a database: the batch may reappear.",
    edits: [{ file: DATABASE, find: '        if (error.disk === "in_doubt") this.#failed ??= error;\n', replace: "" }],
    killedBy: "simulation",
    test: over("a failed commit leaves the disk in doubt, and nothing is written after it"),
  },
  {
    name: "failed-commit-as-unchanged",
    rule: "A commit that the browser failed is in doubt; only an abort has changed nothing.",
    edits: [{
      file: "storage/indexeddb/database_errors.ts",
      find: 'name === "UnknownError" || ',
      replace: "",
    }],
    killedBy: "simulation",
    test: over("a failed commit leaves the disk in doubt, and nothing is written after it"),
  },
  {
    name: "batch-in-two-transactions",
    rule: "A batch is atomic: its term and vote are stored in the transaction of its entries.",
    edits: [{
      file: STORAGE,
      find: '    await database.store("readwrite", (store) => {\n      writeBatch(',
      replace: "    if (batch.entries.length > 1) {\n" +
        "      await this.#persist(opened, { ...batch, entries: batch.entries.slice(0, 1) }, snapshotRef);\n" +
        "    }\n" +
        '    await database.store("readwrite", (store) => {\n      writeBatch(',
    }],
    killedBy: "simulation",
    test: over("a commit under way survives a crash as a whole or not at all"),
  },
  {
    name: "replaced-entries-stay",
    rule: "Entries that a batch replaces are gone from the database, and so is all that follows them (§5.3).",
    edits: [{
      file: "storage/indexeddb/records.ts",
      find: "entries[0]!.index <= before.lastIndex) deleteIndexes",
      replace: "entries[0]!.index < before.lastIndex) deleteIndexes",
    }],
    killedBy: "test",
    test: over("a membership entry that is overwritten is gone"),
  },
  {
    name: "database-kept-from-deletion",
    rule: "A node gives up a database that another tab deletes.",
    edits: [{
      file: DATABASE,
      find: '    connection.onversionchange = () => this.lose("it is being deleted or upgraded");\n',
      replace: "",
    }],
    killedBy: "simulation",
    test: over("a connection that is closed by force, and a lock that is stolen, are lost"),
  },
  {
    name: "stolen-lock-ignored",
    rule: "A node gives up its database when its lock is taken away.",
    edits: [{
      file: "storage/indexeddb/web_lock.ts",
      find: "    if (holds) onStolen();\n    else if",
      replace: "    if (holds && waitMs < 0) onStolen();\n    else if",
    }],
    killedBy: "simulation",
    test: over("a connection that is closed by force, and a lock that is stolen, are lost"),
  },
  {
    name: "lock-not-held",
    rule: "A node's database has a lock that is held as long as the node runs.",
    edits: [{
      file: "storage/indexeddb/web_lock.ts",
      find: "    return holds ? released.promise : undefined;",
      replace: "    return undefined;",
    }],
    killedBy: "simulation",
    test: over("a second tab is refused until the first has ended, and waits for it if it may"),
  },
  {
    name: "closed-connection-waits",
    rule: "A connection that the browser closes fails the transactions under way: no event may come for them.",
    edits: [{
      file: DATABASE,
      find: "      for (const fail of this.#underWay) fail(this.#refusal());\n",
      replace: "",
    }],
    killedBy: "test",
    test: over("a write under way fails when the browser closes the connection"),
  },
];
