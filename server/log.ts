/**
 * The server's log: a line for every change, none per request.
 *
 * @module
 */

import { descriptor, LineWriter } from "./line_writer.ts";

/** The severity of a line. */
export type LogLevel = "info" | "warn" | "error";

/** The format of lines. */
export type LogFormat = "text" | "json";

/** The named values of a line, beside its message. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Receives lines. */
export interface Logger {
  /** Logs an event. */
  info(message: string, fields?: LogFields): void;
  /** Logs what may need attention. */
  warn(message: string, fields?: LogFields): void;
  /** Logs a failure. */
  error(message: string, fields?: LogFields): void;
}

/** Quotes values with control characters: they could forge a line or move the terminal's cursor. */
function quoted(value: string): string {
  return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
}

/** Formats one line, without its newline. */
export function formatLine(
  format: LogFormat,
  time: string,
  level: LogLevel,
  message: string,
  fields: LogFields,
): string {
  if (format === "json") return JSON.stringify({ time, level, message, ...fields });
  let line = `${time} ${level.padEnd(5)} ${message.replaceAll(/\s*[\r\n]+\s*/g, "; ")}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined && value !== null) line += ` ${name}=${quoted(String(value))}`;
  }
  return line;
}

/**
 * Creates a logger. It never throws, and never waits for the destination.
 *
 * @param fields Added to every line.
 * @param write Receives each line; standard error if left out, so that standard output stays free.
 */
export function createLogger(
  format: LogFormat,
  fields: LogFields = {},
  write: (line: string) => void = standardError(format, fields),
): Logger {
  const at = (level: LogLevel) => (message: string, more: LogFields = {}): void =>
    write(formatLine(format, new Date().toISOString(), level, message, { ...fields, ...more }));
  return guardedLogger({ info: at("info"), warn: at("warn"), error: at("error") });
}

/** Returns a logger that drops the lines for which another one throws: a log must not harm its node. */
export function guardedLogger(logger: Logger): Logger {
  const at = (level: LogLevel) => (message: string, fields?: LogFields): void => {
    try {
      logger[level](message, fields);
    } catch {
      // There is nowhere left to report it.
    }
  };
  return { info: at("info"), warn: at("warn"), error: at("error") };
}

function standardError(format: LogFormat, fields: LogFields): (line: string) => void {
  const writer = lineWriterOfLog(format, fields);
  return (line) => writer.write(line);
}

/** Returns a writer of a log's lines to standard error; it reports lost lines as a line of the log. */
export function lineWriterOfLog(format: LogFormat, fields: LogFields): LineWriter {
  return new LineWriter(
    descriptor(2),
    (lost) =>
      formatLine(format, new Date().toISOString(), "warn", "Lines of this log could not be written", {
        ...fields,
        lost,
      }),
  );
}
