/**
 * The input and output of the command line, injected so that tests can replace it.
 *
 * @module
 */

/** A destination of output. */
export interface Sink {
  /** Reports whether it is a terminal: then there are colours, and a newline after raw bytes. */
  readonly isTerminal: boolean;
  /** Resolves once there is room for more. Rejects with {@linkcode OutputClosed} once the reader is gone. */
  write(data: string | Uint8Array): Promise<void>;
}

/** A source of input. */
export interface Source {
  /** Reports whether it is a terminal, so that a person has to type. */
  readonly isTerminal: boolean;
  /** Reads to the end, in chunks. */
  read(): AsyncIterable<Uint8Array>;
}

/** The environment of one command. */
export interface CliIo {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: Source;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** The reader of the output is gone, as `head` is after its lines: the command ends without a message. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** The text styles in use. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow";

const CODES: Record<Style, string> = { bold: "1", dim: "2", red: "31", green: "32", yellow: "33" };

/** Returns a function that colours text for a sink, if that is a terminal and NO_COLOR is not set (https://no-color.org). */
export function painter(sink: Sink, env: CliIo["env"]): (style: Style, text: string) => string {
  const coloured = sink.isTerminal && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  return (style, text) => coloured ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text;
}
