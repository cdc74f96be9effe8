/**
 * The server's log: a line for every change, none per request.
 *
 * @module
 */

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
 * Creates a logger.
 *
 * @param fields Added to every line.
 * @param write Receives each line; standard error if left out, so that standard output stays free.
 */
export function createLogger(
  format: LogFormat,
  fields: LogFields = {},
  write: (line: string) => void = (line) => console.error(line),
): Logger {
  const at = (level: LogLevel) => (message: string, more: LogFields = {}): void =>
    write(formatLine(format, new Date().toISOString(), level, message, { ...fields, ...more }));
  return { info: at("info"), warn: at("warn"), error: at("error") };
}
