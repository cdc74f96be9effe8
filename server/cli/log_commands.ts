/**
 * `log verify` and `log dump`.
 */

import type { Command } from "commander";
import { StorageError } from "../../lib/errors.ts";
import { decodeCommand } from "../../lib/kv/commands.ts";
import { decodeMembership } from "../../lib/raft/membership.ts";
import type { Membership, SnapshotMeta } from "../../lib/raft/types.ts";
import { decodeEntry } from "../../lib/sessions/session_codec.ts";
import type { DumpedRecord, LogReport } from "../../storage/file/mod.ts";
import { jsonBytes } from "../http_bytes.ts";
import { EXIT } from "../exit_codes.ts";
import { TERM_HINT } from "../hints.ts";
import { version, withCommonOptions } from "./arguments.ts";
import type { Registry } from "./registry.ts";
import type { CommonOptions, Session } from "./session.ts";
import { count, quoted, safeText, showBytes } from "./text.ts";

const VERIFY_HELP = `
Reads and checks every byte of the log and of the current snapshot, and reads the snapshot as the key-value store
does when it starts. Changes nothing and takes no lock, so the node may be running. Exits with 5 if anything is
damaged, and reports where, or if the node's term keeps it out of elections. For the folder of a server with a state machine of its own, add --any-content.

Snapshot files that the log does not name are listed. They are being written, or a crash has left them; the node
deletes them when it starts.

Bytes after the last complete batch were cut short by a crash, or are being written: they were never acknowledged,
and the node truncates them when it starts. Damage within the last batch can't be distinguished from that.

Examples:
  raft log verify raft-data/n1
  raft log verify raft-data/n1 --json
`;

const DUMP_HELP = `
One line for each record, oldest first, including overwritten ones: file, offset, index, term, type, content.
Changes nothing and takes no lock.

Examples:
  raft log dump raft-data/n1
  raft log dump raft-data/n1 --from 100 --to 120
  raft log dump raft-data/n1 --json | jq 'select(.type == "command")'
`;

interface VerifyOptions extends CommonOptions {
  readonly anyContent?: boolean;
}

interface DumpOptions extends CommonOptions {
  readonly from?: number;
  readonly to?: number;
}

export function addLogCommands(root: Command, registry: Registry): void {
  const log = root.command("log").description("The log on disk.");
  const verify = withCommonOptions(log.command("verify"), 0)
    .description("Checks a node's data folder.")
    .argument("<dir>", "the node's data folder")
    .option("--any-content", "take the snapshot of any state machine: check only its checksum")
    .addHelpText("after", VERIFY_HELP.trimEnd());
  registry.handle<VerifyOptions>(verify, async (session, [dir = ""], { anyContent = false }) => {
    const report = await session.services.log.verify(dir, anyContent).catch(explained);
    await session.print(reportDocument(dir, report), () => reportText(session, dir, report));
    return report.termTrouble === null ? EXIT.done : EXIT.unhealthy;
  });

  const dump = withCommonOptions(log.command("dump"), 0)
    .description("Prints the records of a node's log.")
    .argument("<dir>", "the node's data folder")
    .option("--from <index>", "only entries from this index on", version)
    .option("--to <index>", "only entries up to this index", version)
    .addHelpText("after", DUMP_HELP.trimEnd());
  registry.handle<DumpOptions>(dump, async (session, [dir = ""], { from, to }) => {
    const bounded = from !== undefined || to !== undefined;
    try {
      for await (const record of session.services.log.dump(dir)) {
        if (session.io.signal.aborted) throw new Error("interrupted");
        if (bounded && !("index" in record && record.index >= (from ?? 0) && record.index <= (to ?? Infinity))) {
          continue;
        }
        await session.printLine(recordDocument(record), () => recordText(session, record));
      }
    } catch (error) {
      explained(error);
    }
  });
}

/** Adds a hint to an error about damage. */
function explained(error: unknown): never {
  if (!(error instanceof StorageError) || error.code !== "damaged" || error.hint !== "") throw error;
  throw new StorageError(error.message, {
    code: "damaged",
    disk: error.disk,
    hint: "Don't repair it by hand: remove the node from the cluster, and add it again with an empty folder.",
    cause: error,
  });
}

/** Returns the document of `log verify --json`. */
function reportDocument(dir: string, report: LogReport): unknown {
  const { identity, hardState, snapshot, ...rest } = report;
  return {
    dir,
    ...identity,
    ...rest,
    term: hardState.term,
    votedFor: hardState.votedFor,
    snapshot: snapshot === null ? null : snapshotDocument(snapshot),
  };
}

function reportText(session: Session, dir: string, report: LogReport): string {
  const { identity, snapshot, hardState, firstIndex, lastIndex, tornBytes } = report;
  const entries = lastIndex < firstIndex ? "none" : `${firstIndex} to ${lastIndex}`;
  const rows = [
    ["node", safeText(identity.nodeId)],
    ["cluster", safeText(identity.clusterId) || "none yet"],
    ["data folder", safeText(identity.incarnation)],
    ["term", `${hardState.term}, ${voteText(hardState)}`],
    ["entries", entries],
    ["snapshot", snapshot === null ? "none" : `up to ${snapshot.index}, ${count(snapshot.size, "byte")}`],
    ["log", `${count(report.segments, "file")}, ${count(report.bytes, "byte")}, ${count(report.records, "record")}`],
    ...report.otherSnapshots.map((name) => ["unnamed", `${name} is not named by the log; the next start deletes it`]),
    ...(tornBytes === 0 ? [] : [["torn tail", `${count(tornBytes, "byte")} of an incomplete batch, to be truncated`]]),
  ];
  const lines = rows.map(([name = "", value = ""]) => `  ${name.padEnd(12)} ${value}\n`).join("");
  if (report.termTrouble === null) return `${session.paint("green", "ok:")} ${safeText(dir)} is intact.\n\n${lines}`;
  const warning = `${session.paint("yellow", "warning:")} ${safeText(dir)} is intact, but ${report.termTrouble}.\n`;
  return `${warning}${session.paint("yellow", "hint:")} ${TERM_HINT}\n\n${lines}`;
}

/** Returns a line of `log dump --json`; a field that is undefined is not printed. */
function recordDocument({ file, offset, bytes, ...rest }: DumpedRecord): unknown {
  const place = { file: nameOf(file), offset, bytes };
  switch (rest.type) {
    case "membership":
      return { ...place, ...rest, data: undefined, membership: membershipOrNull(rest.data) };
    case "command":
      return { ...place, ...rest, data: undefined, ...commandDocument(rest.data) };
    case "noop":
      return { ...place, ...rest, data: undefined };
    case "snapshot":
      return { ...place, type: rest.type, snapshot: snapshotDocument(rest.meta), keepsLog: rest.keepsLog };
    default:
      return { ...place, ...rest };
  }
}

function snapshotDocument({ id, index, term, size }: SnapshotMeta): unknown {
  return { id, index, term, size };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function membershipOrNull(data: Uint8Array): Membership | null {
  try {
    return decodeMembership(data);
  } catch {
    return null;
  }
}

/** Decodes a command of the key-value store; that of another state machine stays bytes. */
function commandDocument(data: Uint8Array): Record<string, unknown> {
  try {
    const entry = decodeEntry(data);
    if (entry.type === "register") return { request: "register" };
    const inSession = entry.type === "plain" ? {} : { session: entry.session, sequence: entry.sequence };
    const { key, value, expectedVersion } = decodeCommand(entry.command);
    return {
      ...inSession,
      request: value === null ? "delete" : "put",
      ...jsonBytes("key", key),
      ...(value === null ? {} : jsonBytes("value", value)),
      ...(expectedVersion === undefined ? {} : { expectedVersion }),
    };
  } catch {
    return jsonBytes("data", data);
  }
}

function voteText({ votedFor }: { readonly votedFor: string | null }): string {
  return votedFor === null ? "no vote" : `vote for ${safeText(votedFor)}`;
}

function recordText(session: Session, record: DumpedRecord): string {
  const { paint } = session;
  const place = paint("dim", `${nameOf(record.file)} ${String(record.offset).padStart(9)}`);
  const line = (index: number | "", term: number | "", type: string, what: string): string =>
    `${place}  ${String(index).padStart(8)}  ${String(term).padStart(5)}  ${type.padEnd(10)}  ${what}`.trimEnd() + "\n";
  switch (record.type) {
    case "hardState":
      return line("", record.term, "term", voteText(record));
    case "snapshot":
      return line(record.meta.index, record.meta.term, "snapshot", count(record.meta.size, "byte"));
    case "commit":
      return line("", "", paint("dim", "batch end "), paint("dim", `batch ${record.batchNumber}`));
    case "tornTail":
      return line("", "", paint("yellow", "torn tail "), `${count(record.bytes, "byte")}, to be truncated`);
    default:
      return line(record.index, record.term, record.type, entryText(record));
  }
}

function entryText({ type, data }: { readonly type: string; readonly data: Uint8Array }): string {
  if (type === "noop") return "";
  if (type === "membership") return membershipText(membershipOrNull(data));
  try {
    const entry = decodeEntry(data);
    if (entry.type === "register") return "a new session";
    const { key, value, expectedVersion } = decodeCommand(entry.command);
    const change = value === null ? `delete ${quoted(key)}` : `put ${quoted(key)} = ${showBytes(value, 60)}`;
    const condition = expectedVersion === undefined
      ? ""
      : expectedVersion === "any"
      ? " if present"
      : expectedVersion === 0
      ? " if absent"
      : ` if version ${expectedVersion}`;
    const by = entry.type === "plain" ? "" : ` (session ${entry.session}, ${entry.sequence})`;
    return `${change}${condition}${by}`;
  } catch {
    return `${count(data.length, "byte")}: ${showBytes(data, 60)}`;
  }
}

function membershipText(membership: Membership | null): string {
  if (membership === null) return "unreadable";
  const { voters, outgoing, learners } = membership;
  const parts = [
    `voters ${voters.join(", ")}`,
    outgoing.length === 0 ? "" : `leaving ${outgoing.join(", ")}`,
    learners.length === 0 ? "" : `learners ${learners.join(", ")}`,
  ];
  return safeText(parts.filter((part) => part !== "").join("; "));
}
