/**
 * The server's log: a line for what changes, none per request.
 *
 * @module
 */

/** How bad it is. */
export type LogLevel = "info" | "warn" | "error";

/** How lines look. */
export type LogFormat = "text" | "json";

/** What a line says beside its message. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Takes lines. */
export interface Logger {
  /** What happened. */
  info(message: string, fields?: LogFields): void;
  /** What may need attention. */
  warn(message: string, fields?: LogFields): void;
  /** What went wrong. */
  error(message: string, fields?: LogFields): void;
}

/** Control characters in a value would let it forge a line or move the terminal's cursor. */
function quoted(value: string): string {
  return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
}

/** One line, without its newline. Exported for whoever collects lines elsewhere. */
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
 * A logger.
 *
 * @param fields Added to every line.
 * @param write Takes each line; standard error if left out, so that standard output stays free.
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
