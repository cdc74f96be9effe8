/**
 * The part of the file storage that the `log` commands need.
 */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { scanSnapshot } from "../../lib/kv/snapshot.ts";
import { Sessions } from "../../lib/sessions/sessions.ts";
import type { StateMachine } from "../../lib/state_machine.ts";
import type { DumpedRecord, LogReport } from "../../storage/file/mod.ts";
import { dumpLog, verifyLog } from "../../storage/file/mod.ts";
import { EXIT } from "../exit_codes.ts";
import { CliError } from "./errors.ts";

const MANIFEST = "manifest";

/** Reads data folders of this machine, and changes nothing in them. */
export const fileLogTools = {
  /**
   * Checks the whole folder.
   *
   * @param anyContent set to take the snapshot of any state machine, not only the key-value store's
   * @throws {StorageError} `damaged`, naming file and offset
   */
  async verify(dir: string, anyContent = false): Promise<LogReport> {
    await checkFolder(dir);
    return await verifyLog(dir, undefined, anyContent ? undefined : readKeyValueSnapshot);
  },
  /** Yields every record, oldest first. @throws {StorageError} as `verify`, after the records before the damage */
  async *dump(dir: string): AsyncIterable<DumpedRecord> {
    await checkFolder(dir);
    yield* dumpLog(dir);
  },
};

export type LogTools = typeof fileLogTools;

/** Reads the sessions of a snapshot, and the keys without keeping them. */
async function readKeyValueSnapshot(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const unused = (): never => {
    throw new TypeError("this state machine only reads snapshots");
  };
  const keys: StateMachine = {
    apply: unused,
    query: unused,
    snapshot: unused,
    restore: async (rest) => void await scanSnapshot(rest, () => {}),
  };
  await new Sessions(keys).restore(chunks);
}

/** Distinguishes a wrong path from a damaged folder. */
async function checkFolder(dir: string): Promise<void> {
  const names = await list(dir);
  if (names.includes(MANIFEST) || names.some((name) => /^log-\d+$/.test(name))) return;
  const nodes: string[] = [];
  for (const name of names.sort()) {
    const inner = await list(join(dir, name)).catch((): string[] => []);
    if (inner.includes(MANIFEST)) nodes.push(join(dir, name));
  }
  throw new CliError("file", EXIT.failed, `${JSON.stringify(dir)} is not the data folder of a node`, {
    hint: nodes.length === 0
      ? "Name the folder given to the server as --data; deno task start uses raft-data/n1, raft-data/n2, …"
      : `Name one of: ${nodes.join(", ")}`,
  });
}

async function list(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    const code = String((error as { readonly code?: unknown }).code);
    const why = code === "ENOENT" ? "it does not exist" : code === "ENOTDIR" ? "it is a file" : code;
    throw new CliError("file", EXIT.failed, `can't read the folder ${JSON.stringify(dir)}: ${why}`);
  }
}
