/**
 * Runs one node: `deno run --allow-all server/main.ts --help`, and the same
 * under Node and Bun.
 */

import process from "node:process";
import { CommanderError } from "commander";
import { RaftError } from "../lib/errors.ts";
import { messageOf } from "../lib/node/errors.ts";
import { EXIT, exitCodeOf } from "./exit_codes.ts";
import type { ExitCode } from "./exit_codes.ts";
import { createLogger, lineWriterOfLog } from "./log.ts";
import type { Logger } from "./log.ts";
import { collectEarly } from "./memory.ts";
import { parseArguments } from "./options.ts";
import { sentence } from "../lib/sentence.ts";
import { startServer } from "./server.ts";
import { onShutdownSignal } from "./shutdown.ts";

/** Logs an error, and its hint on a line of its own. */
function logError(logger: Logger, error: unknown): void {
  logger.error(sentence(messageOf(error)));
  if (error instanceof RaftError && error.hint !== "") logger.error(error.hint);
}

async function main(args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(args);
  collectEarly(options.softMemoryBytes);
  const fields = { node: options.id };
  const lines = lineWriterOfLog(options.logFormat, fields);
  const logger = createLogger(options.logFormat, fields, (line) => lines.write(line));
  try {
    const server = await startServer({ ...options, logger });
    const off = onShutdownSignal((signal) => {
      logger.info(`${signal}: closing`);
      void server.close();
    });
    const { exitCode, error } = await server.ended;
    off();
    if (error === undefined) logger.info("Closed");
    else logError(logger, error);
    return exitCode;
  } catch (error) {
    logError(logger, error);
    const usage = error instanceof RaftError && error.code === "invalid_argument";
    return usage ? EXIT.usage : exitCodeOf(error);
  } finally {
    await lines.flush();
  }
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exit(error.exitCode);
}
