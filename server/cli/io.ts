/**
 * What the command line reads and writes, handed in so that tests can hold it.
 *
 * @module
 */

/** Where output goes. */
export interface Sink {
  /** Whether a person watches: colours, and a newline after raw bytes. */
  readonly isTerminal: boolean;
  /** Resolves once there is room for more. Rejects with {@linkcode OutputClosed} if nobody reads any more. */
  write(data: string | Uint8Array): Promise<void>;
}

/** Where a value may come from. */
export interface Source {
  /** Whether a person would have to type it. */
  readonly isTerminal: boolean;
  /** Everything that comes, in chunks. */
  read(): AsyncIterable<Uint8Array>;
}

/** The world around one command. */
export interface CliIo {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: Source;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Whoever read the output has gone, as `head` does: nothing is left to do, and nobody to tell. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** The looks that are used. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow";

const CODES: Record<Style, string> = { bold: "1", dim: "2", red: "31", green: "32", yellow: "33" };

/** Colours text for a sink, if it is a terminal and nobody asked for none (https://no-color.org). */
export function painter(sink: Sink, env: CliIo["env"]): (style: Style, text: string) => string {
  const coloured = sink.isTerminal && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  return (style, text) => coloured ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text;
}
