/** Files with the events of the protocol, one JSON text a line (NDJSON). */

import { simulate } from "../../simulation/mod.ts";
import type { ProtocolEvent, SimulationOptions, SimulationResult } from "../../simulation/mod.ts";

/** The number of characters that are written at once. */
const BLOCK = 1 << 16;

/** Returns the file of a seed: `{seed}` in the pattern stands for its number. */
export function traceFile(pattern: string, seed: number): string {
  return pattern.replaceAll("{seed}", String(seed));
}

/** Runs a seed, and writes its events to a file; a file that exists is replaced. */
export async function simulateTraced(options: SimulationOptions, path: string): Promise<SimulationResult> {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  if (folder !== "") await Deno.mkdir(folder, { recursive: true });
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  const encoder = new TextEncoder();
  let text = "";
  const flush = (): void => {
    for (let bytes = encoder.encode(text); bytes.length > 0;) bytes = bytes.subarray(file.writeSync(bytes));
    text = "";
  };
  const onProtocolEvent = (event: ProtocolEvent): void => {
    text += `${JSON.stringify(event)}\n`;
    if (text.length > BLOCK) flush();
  };
  const result = await simulate({ ...options, onProtocolEvent });
  flush();
  return result;
}
