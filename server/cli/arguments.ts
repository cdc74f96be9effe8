/**
 * Options and arguments that several commands share.
 */

import type { Command } from "commander";
import { Option } from "commander";
import { KEY_MAX_BYTES } from "../../lib/kv/commands.ts";
import { collect, integer } from "../options.ts";
import { usageError } from "./errors.ts";
import { DEFAULT_TIMEOUT_MS } from "./session.ts";

/**
 * Adds `--server`, `--timeout-ms` and `--json`.
 *
 * @param timeoutMs The default of `--timeout-ms`; 0 for a command that asks no server.
 */
export function withCommonOptions(command: Command, timeoutMs: number = DEFAULT_TIMEOUT_MS): Command {
  if (timeoutMs > 0) {
    command
      .option(
        "-s, --server <host:port,...>",
        "servers of the cluster, any of them (a list, repeatable; default: RAFT_SERVER, else 127.0.0.1:7001 to 7003)",
        collect,
      )
      .option("--timeout-ms <ms>", `give up after this long (default: ${timeoutMs})`, integer(1, 86_400_000));
  }
  return command.option("--json", "print JSON, including errors");
}

/** Adds `--consistency`. */
export function withConsistency(command: Command): Command {
  return command.addOption(
    new Option("--consistency <level>", "freshness of the answer").choices(["linearizable", "lease", "stale"])
      .default("linearizable"),
  );
}

/** Adds `--base64` for keys that are not valid UTF-8. */
export function withKeyOption(command: Command, what: string): Command {
  return command.option("--base64", `${what} is base64-encoded (for keys that are not valid UTF-8)`);
}

/** Parses a version: a whole number from 1. */
export const version: (value: string) => number = integer(1, Number.MAX_SAFE_INTEGER);

/** Returns the bytes of a key or prefix argument. */
export function bytesOf(text: string, base64: boolean | undefined, what: "KEY" | "PREFIX"): Uint8Array {
  const bytes = base64 === true ? fromBase64(text, what) : new TextEncoder().encode(text);
  if (what === "KEY" && bytes.length === 0) throw usageError("KEY is empty: a key has at least one byte");
  if (bytes.length > KEY_MAX_BYTES) {
    throw usageError(`${what} has ${bytes.length} bytes: a key has at most ${KEY_MAX_BYTES}`);
  }
  return bytes;
}

function fromBase64(text: string, what: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw usageError(`${what} is not valid base64: ${JSON.stringify(text)}`);
  }
}
