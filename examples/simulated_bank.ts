/**
 * A test of your own state machine in the simulator: a bank, and the same with a
 * planted bug, which is found and reduced to a short story.
 *
 *     deno run examples/simulated_bank.ts
 *
 * @module
 */

import type { AppliedCommand, StateMachine } from "../mod.ts";
import { shrink, simulate } from "../simulation/mod.ts";
import type { Request, Stream, Workload } from "../simulation/mod.ts";

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const decode = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));

/** Accounts, and transfers between them. A transfer without enough money does nothing. */
export class Bank implements StateMachine {
  balances: Record<string, number> = { ann: 100, bob: 100, cleo: 100 };
  transfers = 0;

  apply({ data }: AppliedCommand): Uint8Array {
    const { from, to, amount } = decode(data) as { from: string; to: string; amount: number };
    if (this.balances[from]! < amount) return encode({ ok: false });
    this.balances[from]! -= amount;
    this.balances[to]! += amount;
    return encode({ ok: true, number: ++this.transfers });
  }

  query(): Uint8Array {
    return encode(this.balances);
  }

  async *snapshot(): AsyncGenerator<Uint8Array> {
    yield encode({ balances: this.balances, transfers: this.transfers });
  }

  async restore(snapshot: AsyncIterable<Uint8Array>): Promise<void> {
    const chunks: number[] = [];
    for await (const chunk of snapshot) chunks.push(...chunk);
    const { balances, transfers } = decode(Uint8Array.from(chunks)) as Pick<Bank, "balances" | "transfers">;
    this.balances = balances;
    this.transfers = transfers;
  }
}

/** A bank with a bug: it does not restore the number of transfers, so that numbers are used twice. */
export class ForgetfulBank extends Bank {
  override async restore(snapshot: AsyncIterable<Uint8Array>): Promise<void> {
    await super.restore(snapshot);
    this.transfers = 0;
  }
}

/** The requests of clients. */
export class Transfers implements Workload {
  next(_client: string, _name: string, chance: Stream): Request {
    if (chance.chance(0.3)) return { type: "query", bytes: new Uint8Array(), text: "balances" };
    const [from, to] = chance.shuffled(["ann", "bob", "cleo"]);
    const amount = chance.between(1, 60);
    return { type: "command", bytes: encode({ from, to, amount }), text: `${from} sends ${to} ${amount}` };
  }
}

/** Runs seeds until one fails; returns the story of a small run that fails in the same way, or `null`. */
export async function findBug(stateMachine: () => StateMachine, seeds: number): Promise<string | null> {
  for (let seed = 1; seed <= seeds; seed++) {
    const options = { seed, stateMachine, workload: () => new Transfers() };
    const found = await simulate(options);
    if (found.verdict === "passed") continue;
    const { result } = await shrink(options, found, { maxRuns: 300 });
    const story = result.story.map(({ atMs, actor, text }) => `${atMs.toFixed(0).padStart(6)} ms  ${actor}  ${text}`);
    return [`seed ${seed}: ${result.violation?.invariant}`, ...story].join("\n");
  }
  return null;
}

if (import.meta.main) {
  console.log("Bank:", await findBug(() => new Bank(), 50) ?? "no bug found in 50 seeds");
  console.log("\nForgetfulBank:", await findBug(() => new ForgetfulBank(), 50) ?? "no bug found in 50 seeds");
}
