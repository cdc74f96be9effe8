/**
 * The value of `kv put`.
 */

import { createReadStream } from "node:fs";
import { concatBytes } from "../../lib/bytes.ts";
import { RaftError } from "../../lib/errors.ts";
import { VALUE_MAX_BYTES } from "../../lib/kv/commands.ts";
import { messageOf } from "../../lib/node/errors.ts";
import { Pending } from "../../lib/pending.ts";
import { EXIT } from "../exit_codes.ts";
import { CliError, usageError } from "./errors.ts";
import type { CliIo } from "./io.ts";

/**
 * Reads the value: an argument, the contents of a file, or standard input for `-`.
 * Stops after the largest value that can be stored.
 */
export async function readValue(
  io: CliIo,
  argument: string | undefined,
  file: string | undefined,
): Promise<Uint8Array> {
  if (argument !== undefined && file !== undefined) throw usageError("VALUE and --file exclude each other");
  if (file !== undefined) {
    if (file === "-") return await readAll(io, io.stdin.read());
    try {
      return await readAll(io, createReadStream(file) as AsyncIterable<Uint8Array>);
    } catch (error) {
      if (error instanceof RaftError) throw error;
      throw new CliError("file", EXIT.failed, `can't read ${JSON.stringify(file)}: ${reasonOf(error)}`);
    }
  }
  if (argument === undefined) {
    throw usageError("VALUE is missing", "Put it after the key, or use --file PATH, or - for standard input.");
  }
  if (argument !== "-") return checked(new TextEncoder().encode(argument));
  if (io.stdin.isTerminal) await io.stderr.write("Type the value, then Ctrl-D.\n");
  return await readAll(io, io.stdin.read());
}

function checked(value: Uint8Array): Uint8Array {
  if (value.length <= VALUE_MAX_BYTES) return value;
  throw new RaftError("too_large", `a value has at most ${VALUE_MAX_BYTES} bytes; this one has more`);
}

/** Reads to the end; Ctrl-C interrupts even an idle source. */
async function readAll(io: CliIo, source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  const aborted = new Pending<never>({ signals: [io.signal], outcome: "rejected" }).promise;
  // It may fire while nothing waits for it.
  aborted.catch(() => {});
  let value: Uint8Array = new Uint8Array(0);
  for (;;) {
    const { done, value: chunk } = await Promise.race([chunks.next(), aborted]);
    if (done === true) return value;
    value = concatBytes([value, chunk]);
    if (value.length > VALUE_MAX_BYTES) {
      // Not awaited: a source that hangs must not delay the error.
      chunks.return?.().catch(() => {});
      checked(value);
    }
  }
}

const REASONS: Record<string, string> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EISDIR: "it is a folder",
};

function reasonOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return REASONS[String(code)] ?? messageOf(error);
}
