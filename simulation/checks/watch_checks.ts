/**
 * Checks of watches: a client gets every change from its first revision on, in order,
 * none left out and none twice, however often its stream was resumed.
 */

import { crc32c } from "../../lib/crc32c.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import type { Run } from "../run.ts";

/** One watch of a client. */
export interface Watched {
  readonly client: string;
  readonly prefix: string;
  /** The first revision; `null` until it is known. */
  from: number | null;
  readonly changes: KeyValueChange[];
}

const decoder = new TextDecoder();

export class WatchChecks {
  /** The changes that follow from the log. */
  readonly #changes: { readonly version: number; readonly key: string; readonly words: string }[] = [];

  /** Notes a change that follows from the log. */
  changed(change: KeyValueChange): void {
    this.#changes.push({ version: change.version, key: decoder.decode(change.key), words: wordsOf(change) });
  }

  check(run: Run, watches: readonly Watched[]): void {
    for (const { client, prefix, from, changes } of watches) {
      const all = this.#changes.filter(({ version, key }) =>
        from !== null && version >= from && key.startsWith(prefix)
      );
      const at = changes.findIndex((change, at) => all[at]?.words !== wordsOf(change));
      if (at < 0) continue;
      const expected = all[at]?.words ?? "nothing";
      run.report(
        "linearizability",
        `${client} watches "${prefix}" from ${from} on: change ${at} is ${wordsOf(changes[at]!)}, not ${expected}`,
      );
    }
  }
}

function wordsOf({ type, key, value, version }: KeyValueChange): string {
  return `${type} of ${decoder.decode(key)} at ${version}, ${value === null ? "no value" : crc32c(value)}`;
}
