/**
 * `kv put`, `get`, `delete`, `list` and `watch`.
 */

import type { Command } from "commander";
import type { ExpectedVersion, KeyValueEntry } from "../../lib/kv/commands.ts";
import type { Consistency } from "../../lib/node/types.ts";
import { EXIT } from "../exit_codes.ts";
import { jsonBytes, jsonEntry } from "../http_bytes.ts";
import { integer } from "../options.ts";
import { bytesOf, version, withCommonOptions, withConsistency, withKeyOption } from "./arguments.ts";
import { CliError, usageError } from "./errors.ts";
import type { Registry } from "./registry.ts";
import type { CommonOptions, Session } from "./session.ts";
import { count, quoted, showBytes, table } from "./text.ts";
import { readValue } from "./value.ts";
import { watchChanges } from "./watch.ts";

interface KeyOptions extends CommonOptions {
  readonly base64?: true;
}

interface WriteOptions extends KeyOptions {
  readonly ifVersion?: number;
  readonly ifAbsent?: true;
}

const PUT_HELP = `
The value comes from the command line, from a file, or with - from standard input; at most 1.5 MiB.
The write happens exactly once, even if requests or answers are lost. Exits with 6 if --if-version or
--if-absent does not hold, and with 7 if it is unknown whether the write happened.

Examples:
  raft kv put colour green
  raft kv put photo --file photo.jpg
  date | raft kv put now -
  raft kv put colour blue --if-version 7
  raft kv put lock me --if-absent
  raft kv put temperature -- -5
`;

const GET_HELP = `
Writes the bytes of the value unchanged, followed by a newline on a terminal only. Exits with 1 if there is no
such key.

Examples:
  raft kv get colour
  raft kv get photo > photo.jpg
  raft kv get colour --json
`;

const DELETE_HELP = `
Exits with 0 even if there was no such key; --json reports whether there was.

Examples:
  raft kv delete colour
  raft kv delete colour --if-version 7
`;

const LIST_HELP = `
Keys are sorted by their bytes. Up to 1000 keys are one state of the store. A longer list is read in pages: if there
were writes meanwhile, the answer says so ("interleaved"). A watch from the revision after the one printed by --json
yields every change that the list lacks.

Examples:
  raft kv list
  raft kv list user/ --limit 10
  raft kv list user/ --keys-only --limit 0
  raft kv list --after user/0999
`;

const WATCH_HELP = `
Prints changes as one server applies them, in order and without gaps, until Ctrl-C. If that server goes away,
another one continues at the same version. Servers keep a bounded history: --from an older version fails.

Examples:
  raft kv watch
  raft kv watch user/ --json
  raft kv watch job --count 1
`;

export function addKeyValueCommands(root: Command, registry: Registry): void {
  const kv = root.command("kv").description("Keys and values.");
  addWrites(kv, registry);
  addReads(kv, registry);
  const watch = withKeyOption(withCommonOptions(kv.command("watch")), "PREFIX")
    .description("Prints changes as they happen.")
    .argument("[prefix]", "only keys with this prefix", "")
    .option("--from <version>", "start at this version (default: only new changes)", version)
    .option("-n, --count <changes>", "stop after this many", integer(1, Number.MAX_SAFE_INTEGER))
    .addHelpText("after", WATCH_HELP.trimEnd());
  registry.handle<KeyOptions & { readonly from?: number; readonly count?: number }>(
    watch,
    (session, [prefix = ""], options) =>
      watchChanges(session, bytesOf(prefix, options.base64, "PREFIX"), options.from, options.count),
  );
}

function addWrites(kv: Command, registry: Registry): void {
  const put = withKeyOption(withCommonOptions(kv.command("put").alias("set")), "KEY")
    .description("Sets the value of a key.")
    .argument("<key>")
    .argument("[value]", "the value; - for standard input")
    .option("-f, --file <path>", "take the value from a file")
    .option("--if-version <version>", "only if the key has this version", version)
    .option("--if-absent", "only if there is no such key")
    .addHelpText("after", PUT_HELP.trimEnd());
  registry.handle<WriteOptions & { readonly file?: string }>(put, async (session, [text = "", value], options) => {
    const key = bytesOf(text, options.base64, "KEY");
    const { ifVersion, ifAbsent } = options;
    if (ifAbsent === true && ifVersion !== undefined) {
      throw usageError("--if-version and --if-absent exclude each other");
    }
    const bytes = await readValue(session.io, value, options.file);
    const { version, previousVersion } = await write(session, key, ifAbsent === true ? 0 : ifVersion, bytes);
    await session.print(
      { ...jsonBytes("key", key), version, previousVersion },
      () => `${quoted(key)} now has version ${version}.\n`,
    );
  });

  const remove = withKeyOption(withCommonOptions(kv.command("delete").alias("rm")), "KEY")
    .description("Removes a key.")
    .argument("<key>")
    .option("--if-version <version>", "only if the key has this version", version)
    .addHelpText("after", DELETE_HELP.trimEnd());
  registry.handle<WriteOptions>(remove, async (session, [text = ""], options) => {
    const key = bytesOf(text, options.base64, "KEY");
    const { version, previousVersion } = await write(session, key, options.ifVersion, null);
    await session.print(
      { ...jsonBytes("key", key), deleted: previousVersion !== 0, version, previousVersion },
      () => previousVersion === 0 ? `There was no key ${quoted(key)}.\n` : `Deleted ${quoted(key)}.\n`,
    );
  });
}

/** Sets a value, or removes the key (`null`). @throws {CliError} `conflict` */
async function write(
  session: Session,
  key: Uint8Array,
  expected: ExpectedVersion | undefined,
  value: Uint8Array | null,
): Promise<{ readonly version: number; readonly previousVersion: number }> {
  const keys = await session.remote.keys(session.call());
  const answer = await keys.compareAndSet(key, expected, value, session.call());
  if (answer.ok) return answer;
  const { currentVersion } = answer;
  const now = currentVersion === 0 ? "there is no such key" : `its version is ${currentVersion}`;
  throw new CliError("conflict", EXIT.refused, `${quoted(key)} was not changed: ${now}`, {
    hint: "Read it again, then decide.",
    details: { ...jsonBytes("key", key), currentVersion },
  });
}

function addReads(kv: Command, registry: Registry): void {
  const get = withConsistency(withKeyOption(withCommonOptions(kv.command("get")), "KEY"))
    .description("Prints the value of a key.")
    .argument("<key>")
    .addHelpText("after", GET_HELP.trimEnd());
  registry.handle<KeyOptions & { readonly consistency: Consistency }>(get, async (session, [text = ""], options) => {
    const key = bytesOf(text, options.base64, "KEY");
    const keys = await session.remote.keys(session.call());
    const { value, version } = await keys.get(key, { ...session.call(), consistency: options.consistency });
    if (value === undefined) {
      const details = jsonBytes("key", key);
      throw new CliError("not_found", EXIT.failed, `there is no key ${quoted(key)}`, { details });
    }
    if (session.json) return await session.print(jsonEntry({ key, value, version }), () => "");
    const { stdout } = session.io;
    await stdout.write(value);
    if (stdout.isTerminal && value.at(-1) !== 0x0a) await stdout.write("\n");
  });

  const list = withConsistency(withKeyOption(withCommonOptions(kv.command("list").alias("ls")), "PREFIX"))
    .description("Prints keys, versions and values.")
    .argument("[prefix]", "only keys with this prefix", "")
    .option("-l, --limit <keys>", "at most this many; 0 for all", integer(0, 1e9), 1000)
    .option("--after <key>", "only keys after this one")
    .option("-k, --keys-only", "omit the values")
    .addHelpText("after", LIST_HELP.trimEnd());
  registry.handle<ListOptions>(list, (session, [prefix = ""], options) => listKeys(session, prefix, options));
}

interface ListOptions extends KeyOptions {
  readonly limit: number;
  readonly after?: string;
  readonly keysOnly?: true;
  readonly consistency: Consistency;
}

const PAGE_KEYS = 1000;
/** Characters of a value that a table shows. */
const SHOWN_CHARACTERS = 60;

async function listKeys(session: Session, text: string, options: ListOptions): Promise<void> {
  const prefix = bytesOf(text, options.base64, "PREFIX");
  const keysOnly = options.keysOnly === true;
  const limit = options.limit === 0 ? Infinity : options.limit;
  const entries: KeyValueEntry[] = [];
  let startAfter = options.after === undefined ? undefined : bytesOf(options.after, options.base64, "KEY");
  let more = true;
  // The revision of the oldest page: a watch from the next one on misses no change of any page.
  let revision = Infinity;
  let newest = 0;
  while (more && entries.length < limit) {
    const page = await (await session.remote.keys(session.call())).list({
      prefix,
      limit: Math.min(PAGE_KEYS, limit - entries.length),
      keysOnly,
      ...(startAfter === undefined ? {} : { startAfter }),
      ...session.call(),
      consistency: options.consistency,
    });
    entries.push(...page.entries);
    more = page.more;
    revision = Math.min(revision, page.revision);
    newest = Math.max(newest, page.revision);
    startAfter = entries.at(-1)?.key;
  }
  const document = {
    entries: entries.map((entry) => jsonEntry(keysOnly ? { ...entry, value: null } : entry)),
    more,
    revision,
    interleaved: revision < newest,
  };
  await session.print(document, () => listText(entries, keysOnly));
  if (document.interleaved) {
    await session.note(`There were writes while the keys were read: the list is not the state of one moment.`);
  }
  if (more) {
    await session.note(`There are more keys. Continue with --after ${quoted(startAfter ?? prefix)}, or use --limit 0.`);
  } else if (entries.length === 0) await session.note("There are no keys.");
}

function listText(entries: readonly KeyValueEntry[], keysOnly: boolean): string {
  if (keysOnly) return entries.map(({ key }) => `${showBytes(key)}\n`).join("");
  if (entries.length === 0) return "";
  const rows = entries.map(({ key, value, version }) => [
    showBytes(key, 100),
    String(version),
    value.length > SHOWN_CHARACTERS * 4
      ? `${showBytes(value, SHOWN_CHARACTERS)} (${count(value.length, "byte")})`
      : showBytes(value, SHOWN_CHARACTERS),
  ]);
  return table(["KEY", "VERSION", "VALUE"], rows, ["VERSION"]);
}
