import assert from "node:assert/strict";
import { Bank, ForgetfulBank, Transfers } from "../../../examples/simulated_bank.ts";
import { KeyValue, TypedClient, typedStateMachine } from "../../../mod.ts";
import type { TypedCluster, TypedDefinition } from "../../../mod.ts";
import { FAULTS, shrink, simulate } from "../../../simulation/mod.ts";
import type { Request, SimulationOptions, Workload } from "../../../simulation/mod.ts";

const SHORT = { durationMs: 4000 };

Deno.test("one seed gives one run; another gives another", async () => {
  const [first, again, other] = [
    await simulate({ seed: 11, ...SHORT }),
    await simulate({ seed: 11, ...SHORT }),
    await simulate({ seed: 12, ...SHORT }),
  ];
  assert.deepEqual(first, again);
  assert.notEqual(first.traceHash, other.traceHash);
  assert.equal(first.verdict, "passed");
  assert.ok(first.commits > 10 && first.virtualMs >= 4000, JSON.stringify(first.counts));
});

Deno.test("recording the story changes nothing", async () => {
  const plain = await simulate({ seed: 13, ...SHORT });
  const recorded = await simulate({ seed: 13, ...SHORT, record: true });
  assert.equal(plain.traceHash, recorded.traceHash);
  assert.equal(plain.story.length, 0);
  assert.ok(recorded.story.some(({ text }) => text.startsWith("becomes leader")));
});

Deno.test("a replay of all decisions is the same run; a decision that is left out does not happen", async () => {
  const all = await simulate({ seed: 14, ...SHORT });
  assert.equal((await simulate({ seed: 14, ...SHORT, decisions: all.decisions })).traceHash, all.traceHash);
  const fault = all.decisions.find((decision) => decision.startsWith("fault") || decision.includes("net"))!;
  const rest = all.decisions.filter((decision) => decision !== fault);
  const without = await simulate({ seed: 14, ...SHORT, decisions: rest });
  assert.ok(!without.decisions.includes(fault));
  assert.equal(without.verdict, "passed");
});

Deno.test("nodes, faults and settings follow the options", async () => {
  const quiet = await simulate({ seed: 15, ...SHORT, nodes: 5, faults: [] });
  for (const kind of FAULTS) assert.equal(quiet.counts[kind] ?? 0, 0, kind);
  assert.equal(quiet.counts["election won"], 1);
  const some = await simulate({ seed: 15, ...SHORT, nodes: 1, node: { snapshotEntries: 3 }, faults: ["crash"] });
  assert.ok((some.counts["snapshot taken"] ?? 0) > 3);
});

Deno.test("a run ends after the given number of events", async () => {
  const { steps, verdict } = await simulate({ seed: 16, steps: 500 });
  assert.equal(verdict, "passed");
  assert.ok(steps >= 500 && steps < 510, `${steps}`);
});

/** Returns the first seed that fails. */
async function firstFailure(options: Omit<SimulationOptions, "seed">) {
  for (let seed = 1; seed <= 60; seed++) {
    const result = await simulate({ ...options, seed });
    if (result.violation !== null) return result;
  }
  return assert.fail("no seed failed");
}

Deno.test("a state machine with an incomplete snapshot is found, and the run reduced", async () => {
  const options = { ...SHORT, stateMachine: () => new ForgetfulBank(), workload: () => new Transfers() };
  const failed = await firstFailure(options);
  assert.equal(failed.violation?.invariant, "state machine safety");
  const { result, options: small } = await shrink({ ...options, seed: failed.seed }, failed, { maxRuns: 300 });
  assert.equal(result.violation?.invariant, "state machine safety");
  assert.ok(small.decisions.length <= 30, `${small.decisions.length} are left`);
  assert.ok(result.story.at(-1)!.text.includes("is violated"));
  const mended = { ...small, stateMachine: () => new Bank() };
  assert.equal((await simulate(mended)).violation, null);
});

Deno.test("a state machine whose answers don't follow from its commands alone is found", async () => {
  let made = 0;
  class Moody extends KeyValue {
    readonly #number = made++;
    override apply(command: Parameters<KeyValue["apply"]>[0]): Uint8Array {
      const answer = super.apply(command).slice();
      // Some copies answer differently sometimes.
      if (command.index % 7 === this.#number % 7) answer[answer.length - 1]! ^= 1;
      return answer;
    }
  }
  const failed = await firstFailure({ ...SHORT, stateMachine: () => new Moody() });
  assert.equal(failed.violation?.invariant, "state machine safety");
});

/** Scores by player, as a typed state machine. */
const scores: TypedDefinition<Record<string, number>, { player: string; points: number }, number, string, number> = {
  version: 1,
  initial: () => ({}),
  apply: (state, { player, points }) => state[player] = (state[player] ?? 0) + points,
  query: (state, player) => state[player] ?? 0,
};

/** The requests of typed clients, as the bytes that they would send. */
class ScoreRequests implements Workload {
  #bytes = new Uint8Array();
  readonly #take = (bytes: Uint8Array): Promise<never> => {
    this.#bytes = bytes.slice();
    return Promise.reject(new Error("nothing is sent"));
  };
  readonly #client = new TypedClient(scores, { propose: this.#take, read: this.#take } as TypedCluster);

  next(_client: string, _name: string, chance: Parameters<Workload["next"]>[2]): Request {
    const player = chance.shuffled(["ann", "bob"])[0]!;
    const points = chance.between(1, 9);
    const isQuery = chance.chance(0.4);
    const sent: Promise<unknown> = isQuery ? this.#client.read(player) : this.#client.propose({ player, points });
    sent.catch(() => {});
    return isQuery
      ? { type: "query", bytes: this.#bytes, text: player }
      : { type: "command", bytes: this.#bytes, text: `${player} ${points}` };
  }
}

Deno.test("a typed state machine keeps its promises on a simulated cluster, and one with a lossy codec is found", async () => {
  const workload = () => new ScoreRequests();
  for (let seed = 1; seed <= 5; seed++) {
    const { violation, commits } = await simulate({
      ...SHORT,
      seed,
      workload,
      stateMachine: () => typedStateMachine(scores),
    });
    assert.equal(violation, null);
    assert.ok(commits > 0);
  }
  const state = { encode: () => new TextEncoder().encode("{}"), decode: () => ({}) };
  const lossy = () => typedStateMachine({ ...scores, codecs: { state } });
  const failed = await firstFailure({ ...SHORT, workload, stateMachine: lossy });
  assert.equal(failed.violation?.invariant, "state machine safety");
});

Deno.test("a state machine that throws is found", async () => {
  class Fragile extends KeyValue {
    override apply(command: Parameters<KeyValue["apply"]>[0]): Uint8Array {
      if (command.index > 20) throw new Error("too much");
      return super.apply(command);
    }
  }
  const failed = await firstFailure({ ...SHORT, stateMachine: () => new Fragile() });
  assert.equal(failed.violation?.invariant, "no unexplained stop");
  assert.match(failed.violation!.message, /too much/);
});
