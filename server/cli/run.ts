/**
 * The command line, without the process around it.
 */

import { Command, CommanderError } from "commander";
import { EXIT } from "../exit_codes.ts";
import { sentence } from "../../lib/sentence.ts";
import { VERSION } from "../version.ts";
import { withCommonOptions } from "./arguments.ts";
import type { Failure } from "./errors.ts";
import { failureOf, usageError } from "./errors.ts";
import type { CliIo } from "./io.ts";
import { OutputClosed, painter } from "./io.ts";
import { addKeyValueCommands } from "./kv_commands.ts";
import { addLeaderCommands, addSnapshotCommands } from "./leader_commands.ts";
import { addLogCommands } from "./log_commands.ts";
import { addMemberCommands } from "./member_commands.ts";
import { Registry } from "./registry.ts";
import type { Services } from "./session.ts";
import { addStatusCommand } from "./status_command.ts";
import { safeLines } from "./text.ts";

const AFTER_HELP = `
Examples:
  raft status
  raft kv put colour green
  raft kv get colour
  raft --server 10.0.0.5:7001,10.0.0.6:7001 member list --json

Exit codes: 0 done, 1 failed, 2 usage, 3 unreachable, 4 no leader or quorum, 5 unhealthy,
  6 refused by a check, 7 outcome unknown, 130 interrupted.
`;

function program(registry: Registry): Command {
  const root = new Command("raft")
    .description("Operates a cluster: keys and values, members, leadership, and the log on disk.")
    .version(VERSION, "-V, --version", "print the version")
    .enablePositionalOptions()
    .addHelpText("after", AFTER_HELP.trimEnd());
  withCommonOptions(root);
  addStatusCommand(root, registry);
  addKeyValueCommands(root, registry);
  addMemberCommands(root, registry);
  addLeaderCommands(root, registry);
  addSnapshotCommands(root, registry);
  addLogCommands(root, registry);
  return root;
}

/** Makes a command throw instead of ending the process, and write to `write`. */
function prepare(command: Command, write: { out(text: string): void; err(text: string): void }, path: string): void {
  command.exitOverride().helpOption("-h, --help", "print this help").allowExcessArguments(false);
  command.configureOutput({ writeOut: write.out, writeErr: write.err, outputError: (text, print) => print(text) });
  command.configureHelp({ showGlobalOptions: false, helpWidth: 100 });
  for (const inner of command.commands) prepare(inner, write, `${path} ${inner.name()}`);
  if (command.commands.length > 0) command.helpCommand("help [command]", "print help for a command");
  command.showHelpAfterError(`See: ${path} --help`);
}

/** Reports whether errors are to be JSON; needed before the command line is parsed. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? args.length : end).includes("--json");
}

async function report(io: CliIo, failure: Failure, json: boolean): Promise<number> {
  if (json) {
    await io.stderr.write(`${JSON.stringify({ error: failure })}\n`);
    return failure.exitCode;
  }
  const paint = painter(io.stderr, io.env);
  const hint = failure.hint === undefined ? "" : `${paint("dim", "hint:")} ${safeLines(failure.hint)}\n`;
  await io.stderr.write(`${paint("red", "error:")} ${safeLines(sentence(failure.message))}\n${hint}`);
  return failure.exitCode;
}

/**
 * Runs one command.
 *
 * @param args Without the program's own name.
 * @returns the exit code, one of docs/exit_codes.md
 */
export async function run(args: readonly string[], io: CliIo, services: Services): Promise<number> {
  const registry = new Registry(io, services);
  let out = "";
  let err = "";
  const json = wantsJson(args);
  try {
    const root = program(registry);
    prepare(root, { out: (text) => out += text, err: (text) => err += text }, "raft");
    try {
      await root.parseAsync([...args], { from: "user" });
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      if (error.exitCode === 0) {
        await io.stdout.write(out);
        return EXIT.done;
      }
      if (json) return await report(io, failureOf(usageError(usageMessage(err)), false), true);
      await io.stderr.write(err);
      return EXIT.usage;
    }
    return registry.exitCode;
  } catch (error) {
    if (error instanceof OutputClosed) return EXIT.done;
    try {
      return await report(io, failureOf(error, io.signal.aborted), json);
    } catch (second) {
      if (second instanceof OutputClosed) return EXIT.failed;
      throw second;
    }
  }
}

/** Returns the first paragraph of commander's output, without its prefix. */
function usageMessage(text: string): string {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("See: "));
  return lines[0]?.startsWith("error: ") === true
    ? lines.join(" ").slice("error: ".length)
    : "a command is missing: see --help";
}
