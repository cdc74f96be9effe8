/**
 * State machines with checks: outside of the sessions, where each entry of the log
 * arrives, and inside, where each request must arrive once.
 */

import { ByteReader, ByteWriter } from "../../lib/bytes.ts";
import type { AppliedCommand, StateMachine } from "../../lib/state_machine.ts";
import type { ApplicationChecks, ApplyingLife } from "../checks/application_checks.ts";

/** Encodes a command with the name of its request. */
export function encodeRequest(request: string, command: Uint8Array): Uint8Array {
  return new ByteWriter(command.length + 32).string(request).raw(command).finish();
}

/** A state machine that decodes requests for the user's state machine. */
export class RequestMachine implements StateMachine {
  readonly #inner: StateMachine;
  readonly #ran: (request: string, index: number) => void;

  /** @param ran called with each request that is executed, and its index */
  constructor(inner: StateMachine, ran: (request: string, index: number) => void = () => {}) {
    this.#inner = inner;
    this.#ran = ran;
  }

  apply({ index, term, data }: AppliedCommand): Uint8Array | Promise<Uint8Array> {
    const reader = new ByteReader(data);
    this.#ran(reader.string(), index);
    return this.#inner.apply({ index, term, data: reader.rest() });
  }

  query(query: Uint8Array): Uint8Array | Promise<Uint8Array> {
    return this.#inner.query(query);
  }

  snapshot(): AsyncIterable<Uint8Array> {
    return this.#inner.snapshot();
  }

  restore(snapshot: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#inner.restore(snapshot);
  }
}

export class CheckedStateMachine implements StateMachine {
  readonly #inner: StateMachine;
  readonly #life: ApplyingLife;
  readonly #checks: ApplicationChecks;
  readonly #poll: () => void;

  /** @param poll runs the checks of the protocol, before those of a command */
  constructor(inner: StateMachine, life: ApplyingLife, checks: ApplicationChecks, poll: () => void) {
    this.#inner = inner;
    this.#life = life;
    this.#checks = checks;
    this.#poll = poll;
  }

  apply(command: AppliedCommand): Uint8Array | Promise<Uint8Array> {
    this.#poll();
    this.#checks.applying(this.#life, command);
    const answer = this.#inner.apply(command);
    if (answer instanceof Promise) return answer.then((bytes) => this.#applied(command.index, bytes));
    return this.#applied(command.index, answer);
  }

  query(query: Uint8Array): Uint8Array | Promise<Uint8Array> {
    return this.#inner.query(query);
  }

  snapshot(): AsyncIterable<Uint8Array> {
    return this.#inner.snapshot();
  }

  async restore(snapshot: AsyncIterable<Uint8Array>): Promise<void> {
    const covered = this.#life.record.snapshot?.index ?? 0;
    await this.#inner.restore(snapshot);
    this.#life.lastApplied = covered;
  }

  #applied(index: number, answer: Uint8Array): Uint8Array {
    this.#checks.applied(this.#life, index, answer);
    return answer;
  }
}
