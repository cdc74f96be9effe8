import assert from "node:assert/strict";
import { decodeGetAnswer, decodeWriteAnswer, encodeDelete, encodeGet, encodePut } from "../../../lib/kv/commands.ts";
import { KeyValue } from "../../../lib/kv/key_value.ts";
import { checkLinearizable, keyValueModel } from "../../../simulation/linearizability/mod.ts";
import type { KeyValueInput, KeyValueOutput, Operation } from "../../../simulation/linearizability/mod.ts";
import { seededRandom } from "../../support/virtual_host.ts";

type Step = Operation<KeyValueInput, KeyValueOutput>;

const bytes = (text: string) => new TextEncoder().encode(text);

/** The store itself, one request at a time, with other entries of the log between its commands. */
class SingleCopy {
  readonly #state = new KeyValue();
  readonly #random: () => number;
  #index = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  answer(input: KeyValueInput): KeyValueOutput {
    const key = bytes(input.key);
    if (input.type === "get") {
      const answer = decodeGetAnswer(this.#state.query(encodeGet(key)));
      assert(answer.ok);
      const { entry } = answer;
      return entry === null ? null : { value: new TextDecoder().decode(entry.value), version: entry.version };
    }
    const expected = input.type === "compareAndSet" ? input.expectedVersion : undefined;
    const value = input.type === "delete" ? null : input.value;
    const data = value === null ? encodeDelete(key, expected) : encodePut(key, bytes(value), expected);
    this.#index += 1 + Math.floor(this.#random() * 3);
    const answer = decodeWriteAnswer(this.#state.apply({ index: this.#index, term: 1, data }));
    if (!answer.ok) {
      assert(answer.reason === "conflict");
      return { ok: false, currentVersion: answer.currentVersion };
    }
    const { version, previousVersion } = answer;
    return input.type === "compareAndSet" ? { ok: true, version, previousVersion } : { version, previousVersion };
  }
}

/** Makes a history of clients of a single copy: each request takes effect between its call and its return, or never. */
function honestHistory(random: () => number, { requests = 30, spread = 40, lostShare = 0.2 } = {}): Step[] {
  const below = (bound: number) => Math.floor(random() * bound);
  const seen = [0, 1];
  const input = (n: number): KeyValueInput => {
    const key = ["a", "b"][below(2)]!;
    const value = `v${n}`;
    const expectedVersion = random() < 0.2 ? "any" : seen[below(seen.length)]!;
    const kinds: KeyValueInput[] = [
      { type: "get", key },
      { type: "put", key, value },
      { type: "delete", key },
      { type: "compareAndSet", key, expectedVersion, value: random() < 0.2 ? null : value },
    ];
    return kinds[below(4)]!;
  };
  const copy = new SingleCopy(random);
  const history: Step[] = [];
  for (let n = 0; n < requests; n++) {
    const at = n * 10;
    const asked = { client: n, input: input(n), call: at - below(spread) };
    const lost = random() < lostShare;
    if (lost && random() < 0.5) {
      history.push({ ...asked, return: Number.POSITIVE_INFINITY });
      continue;
    }
    const output = copy.answer(asked.input);
    if (output !== null && "version" in output) seen.push(output.version);
    history.push(
      lost ? { ...asked, return: Number.POSITIVE_INFINITY } : { ...asked, output, return: at + below(spread) },
    );
  }
  return history;
}

Deno.test("the store's own answers are linearizable, with concurrent and lost requests", () => {
  for (let seed = 1; seed <= 2000; seed++) {
    const found = checkLinearizable(keyValueModel, honestHistory(seededRandom(seed)));
    assert.equal(found.verdict, "linearizable", `seed ${seed}: ${JSON.stringify(found, null, 1)}`);
  }
});

Deno.test("many requests have no answer and many are concurrent, and the search ends soon", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const history = honestHistory(seededRandom(seed), { requests: 150, spread: 200, lostShare: 0.4 });
    const found = checkLinearizable(keyValueModel, history, { maxSteps: 20_000 });
    assert.equal(found.verdict, "linearizable", `seed ${seed}: ${JSON.stringify(found)}`);
  }
});

/** Makes a history of sequential requests; an omitted answer never arrived. */
function inOrder(...steps: readonly (readonly [KeyValueInput, KeyValueOutput?])[]): Step[] {
  return steps.map(([input, output], at) =>
    output === undefined
      ? { client: at, input, call: 2 * at, return: Number.POSITIVE_INFINITY }
      : { client: at, input, output, call: 2 * at, return: 2 * at + 1 }
  );
}

const key = "k";
const get: KeyValueInput = { type: "get", key };
const put = (value: string): KeyValueInput => ({ type: "put", key, value });
const remove: KeyValueInput = { type: "delete", key };
const compareAndSet = (expectedVersion: number | "any", value: string | null): KeyValueInput => ({
  type: "compareAndSet",
  key,
  expectedVersion,
  value,
});
const written = (version: number, previousVersion: number): KeyValueOutput => ({ version, previousVersion });

const VIOLATIONS: Readonly<Record<string, Step[]>> = {
  "an acknowledged write is lost": inOrder([put("a"), written(3, 0)], [get, null]),
  "a read is stale": inOrder([put("a"), written(3, 0)], [put("b"), written(4, 3)], [get, { value: "a", version: 3 }]),
  "a write is applied twice": inOrder([put("a"), written(3, 0)], [get, { value: "a", version: 5 }]),
  "a write without an answer is applied twice": inOrder(
    [put("a")],
    [get, { value: "a", version: 3 }],
    [get, { value: "a", version: 5 }],
  ),
  "a write without an answer comes back after another": inOrder(
    [put("a")],
    [get, { value: "a", version: 3 }],
    [put("b"), written(4, 3)],
    [get, { value: "a", version: 5 }],
  ),
  "a value that no client wrote": inOrder([put("a"), written(3, 0)], [get, { value: "b", version: 4 }]),
  "a version goes back": inOrder([put("a"), written(5, 0)], [put("b"), written(4, 5)]),
  "two writes have one version": inOrder([put("a"), written(5, 0)], [put("b"), written(5, 5)]),
  "a version is older than a delete before it": inOrder(
    [put("a"), written(3, 0)],
    [remove, written(6, 3)],
    [put("b"), written(5, 0)],
  ),
  "an open version is older than what came before": inOrder(
    [put("a"), written(5, 0)],
    [put("b")],
    [get, { value: "b", version: 4 }],
  ),
  "a write replaces a version other than the current one": inOrder(
    [put("a"), written(3, 0)],
    [put("b"), written(6, 4)],
  ),
  "a write finds nothing where something is": inOrder([put("a"), written(3, 0)], [put("b"), written(6, 0)]),
  "a condition is met with another version": inOrder(
    [put("a"), written(3, 0)],
    [compareAndSet(2, "b"), { ok: true, version: 4, previousVersion: 3 }],
  ),
  "a condition that holds is refused": inOrder(
    [put("a"), written(3, 0)],
    [compareAndSet(3, "b"), { ok: false, currentVersion: 3 }],
  ),
  "an open version is reported as the expected one, and refused": inOrder(
    [put("a")],
    [compareAndSet(3, "b"), { ok: false, currentVersion: 3 }],
  ),
  "a refusal reports another version": inOrder(
    [put("a"), written(3, 0)],
    [compareAndSet(2, "b"), { ok: false, currentVersion: 2 }],
  ),
  "any version is expected, and none is there": inOrder([
    compareAndSet("any", "b"),
    { ok: true, version: 4, previousVersion: 0 },
  ]),
  "a deleted value comes back": inOrder(
    [put("a"), written(3, 0)],
    [remove, written(4, 3)],
    [get, { value: "a", version: 3 }],
  ),
  "a refused write takes effect": inOrder(
    [put("a"), written(3, 0)],
    [compareAndSet(2, "b"), { ok: false, currentVersion: 3 }],
    [get, { value: "b", version: 4 }],
  ),
};

for (const [what, history] of Object.entries(VIOLATIONS)) {
  Deno.test(`found: ${what}`, () => {
    const found = checkLinearizable(keyValueModel, history);
    assert.equal(found.verdict, "violation");
    assert(found.verdict === "violation");
    assert.deepEqual([found.part, found.wrong], [key, history.at(-1)]);
  });
}

const ALLOWED: Readonly<Record<string, Step[]>> = {
  "a write without an answer takes effect late": inOrder(
    [put("a")],
    [get, null],
    [put("b"), written(3, 0)],
    [get, { value: "a", version: 4 }],
  ),
  "an open version is learned from any answer that reports it": inOrder(
    [put("a")],
    [compareAndSet(2, "b"), { ok: false, currentVersion: 3 }],
    [compareAndSet(3, "c"), { ok: true, version: 7, previousVersion: 3 }],
    [get, { value: "c", version: 7 }],
  ),
  "a conditional write without an answer met an open version": inOrder(
    [put("a")],
    [compareAndSet(3, "b")],
    [get, { value: "b", version: 5 }],
  ),
  "a delete without an answer": inOrder([put("a"), written(3, 0)], [remove], [get, null], [put("b"), written(9, 0)]),
};

for (const [what, history] of Object.entries(ALLOWED)) {
  Deno.test(`allowed: ${what}`, () => {
    assert.equal(checkLinearizable(keyValueModel, history).verdict, "linearizable");
  });
}

/** Changes one answer to an impossible one. */
function falsified(history: readonly Step[], random: () => number): Step[] {
  const answered = history.filter(({ output }) => output !== undefined && output !== null && "version" in output);
  const chosen = answered[Math.floor(random() * answered.length)]!;
  return history.map((step) => step === chosen ? { ...step, output: { ...step.output!, version: 1000 } } : step);
}

Deno.test("one false version in a history of many is found", () => {
  let found = 0;
  for (let seed = 1; seed <= 500; seed++) {
    const random = seededRandom(seed);
    const history = falsified(honestHistory(random), random);
    if (checkLinearizable(keyValueModel, history).verdict === "violation") found++;
  }
  // Not all: the last write of a key is never read.
  assert.ok(found > 350, `${found} of 500`);
});
