/**
 * Checks of watches: a client gets every change from its first revision on, in order,
 * none left out and none twice, however often its stream was resumed.
 */

import { crc32c } from "../../lib/crc32c.ts";
import { decodeCommand, decodeWriteAnswer } from "../../lib/kv/commands.ts";
import type { KeyValue } from "../../lib/kv/key_value.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import type { StateMachine } from "../../lib/state_machine.ts";
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

  /** Returns a state machine that notes the changes of the store that it is, as it applies the log. */
  follow(store: KeyValue): StateMachine {
    return {
      restoresAtomically: store.restoresAtomically,
      apply: (command) => {
        const answer = store.apply(command);
        this.#executed(command.index, command.data, answer);
        return answer;
      },
      query: (query) => store.query(query),
      snapshot: () => store.snapshot(),
      restore: (snapshot) => store.restore(snapshot),
    };
  }

  /** Notes a command that was executed, and its answer. */
  #executed(index: number, command: Uint8Array, answer: Uint8Array): void {
    const result = decodeWriteAnswer(answer);
    if (!result.ok) return;
    const { key, value } = decodeCommand(command);
    if (value === null && result.previousVersion === 0) return;
    const type = value === null ? "delete" : "put";
    this.#changes.push({
      version: index,
      key: decoder.decode(key),
      words: wordsOf({ type, key, value, version: index }),
    });
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
