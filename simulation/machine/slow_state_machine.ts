/**
 * State machines that take their time for some calls, so that entries stay committed
 * and not applied for long.
 */

import type { AppliedCommand, StateMachine } from "../../lib/state_machine.ts";
import type { Stream } from "../decisions.ts";
import type { SlowTraits } from "../plan.ts";
import type { Run } from "../run.ts";
import type { Process } from "./process.ts";

/** The slowness of the state machine of one process. */
export class Slowness {
  readonly traits: SlowTraits;
  readonly #run: Run;
  readonly #process: Process;
  readonly #chance: Stream;

  constructor(run: Run, process: Process, traits: SlowTraits) {
    this.traits = traits;
    this.#run = run;
    this.#process = process;
    this.#chance = run.decisions.stream(`slow ${process.actor.name}`);
  }

  /** Returns a promise if this call is slow; `null` if it is not, and once the faults are over. */
  pause(what: string, probability: number): Promise<void> | null {
    const { scheduler, trace, calm } = this.#run;
    if (calm) return null;
    const chance = this.#chance.next();
    if (!chance.strikes(what, probability)) return null;
    trace.count(what);
    const us = 1000 + chance.below(1000 * this.traits.mostMs);
    const process = this.#process;
    return new Promise((resolve) => {
      process.perform(() => scheduler.after(us, process.actor, () => process.wake(resolve)));
    });
  }
}

/** Returns a state machine that is slow at times. Its calls are asynchronous only then. */
export function slowStateMachine(inner: StateMachine, slowness: Slowness): StateMachine {
  const { applies, others } = slowness.traits;
  const slowly = async function* (what: string, chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const source = chunks[Symbol.asyncIterator]();
    // A capture happens in the first call, and so before any pause.
    let next = source.next();
    try {
      for (;;) {
        const chunk = await next;
        await slowness.pause(what, others);
        if (chunk.done) return;
        yield chunk.value;
        next = source.next();
      }
    } finally {
      await source.return?.();
    }
  };
  return {
    restoresAtomically: inner.restoresAtomically ?? false,
    apply(command: AppliedCommand) {
      const pause = slowness.pause("slow apply", applies);
      return pause === null ? inner.apply(command) : pause.then(() => inner.apply(command));
    },
    query(query) {
      const pause = slowness.pause("slow query", applies);
      return pause === null ? inner.query(query) : pause.then(() => inner.query(query));
    },
    snapshot: () => slowly("slow snapshot", inner.snapshot()),
    async restore(snapshot) {
      await inner.restore(slowly("slow restore", snapshot));
    },
  };
}
