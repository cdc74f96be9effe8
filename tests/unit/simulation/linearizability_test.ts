import assert from "node:assert/strict";
import { checkLinearizable, registerModel } from "../../../simulation/linearizability/mod.ts";
import type { Operation, RegisterInput, RegisterOutput } from "../../../simulation/linearizability/mod.ts";
import { seededRandom } from "../../support/virtual_host.ts";

type Step = Operation<RegisterInput, RegisterOutput>;

const DATA = new URL("../../../../shared/data/linearizability/", import.meta.url);

/** Parses a history recorded by Jepsen; see the README beside the data. */
function readJepsen(text: string): Step[] {
  const open = new Map<string, { client: string; input: RegisterInput; call: number }>();
  const history: Step[] = [];
  const value = (word: string): string | null => word === "nil" ? null : word;
  for (const [line, content] of text.split("\n").entries()) {
    const found = /- (\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(.*)$/.exec(content);
    if (found === null) continue;
    const [, client = "", event, operation, argument = ""] = found;
    if (event === "invoke") {
      const [expected = "", next = ""] = argument.replace(/[[\]]/g, "").split(" ");
      const input: RegisterInput = operation === "read"
        ? { type: "read" }
        : operation === "write"
        ? { type: "write", value: argument.trim() }
        : { type: "compareAndSet", expected: value(expected), value: next };
      open.set(client, { client, input, call: line });
      continue;
    }
    const asked = open.get(client);
    if (asked === undefined) continue;
    open.delete(client);
    if (event === "info") history.push({ ...asked, return: Number.POSITIVE_INFINITY });
    else if (operation === "cas") history.push({ ...asked, output: event === "ok", return: line });
    else if (event === "ok") {
      history.push({ ...asked, output: operation === "read" ? value(argument.trim()) : null, return: line });
    }
  }
  for (const asked of open.values()) history.push({ ...asked, return: Number.POSITIVE_INFINITY });
  return history;
}

const verdicts = Deno.readTextFileSync(new URL("verdicts.csv", DATA)).trim().split("\n").slice(1);
for (const line of verdicts) {
  const [file = "", linearizable] = line.split(",");
  Deno.test(`Jepsen's history ${file} is ${linearizable === "true" ? "" : "not "}linearizable`, () => {
    const found = checkLinearizable(registerModel, readJepsen(Deno.readTextFileSync(new URL(file, DATA))));
    assert.equal(found.verdict, linearizable === "true" ? "linearizable" : "violation");
    if (found.verdict !== "violation") return;
    assert.equal(checkLinearizable(registerModel, found.smallest).verdict, "violation");
    const without = found.smallest.filter((operation) => operation !== found.wrong);
    assert.equal(checkLinearizable(registerModel, without).verdict, "linearizable", "all others can be right");
  });
}

/** Checks linearizability by trying every order. */
function bruteForce(history: readonly Step[]): boolean {
  const known = (operation: Step) => operation.return !== Number.POSITIVE_INFINITY;
  const go = (left: readonly Step[], state: string | null): boolean =>
    !left.some(known) || left.some((operation) => {
      if (left.some((other) => other !== operation && other.return < operation.call)) return false;
      const { state: next, output } = registerModel.apply(state, operation.input);
      if (known(operation) && output !== operation.output) return false;
      return go(left.filter((other) => other !== operation), next);
    });
  return go(history, null);
}

/** Makes a history of a few clients with a register that sometimes answers wrongly. */
function randomHistory(random: () => number): Step[] {
  const below = (bound: number) => Math.floor(random() * bound);
  const history: Step[] = [];
  let state: string | null = null;
  let time = 0;
  for (let n = 2 + below(6); n > 0; n--) {
    const value = String(below(3));
    const input: RegisterInput = [
      { type: "read" },
      { type: "write", value },
      { type: "compareAndSet", expected: random() < 0.2 ? null : String(below(3)), value },
    ][below(3)] as RegisterInput;
    const call = time + below(4);
    const applied = registerModel.apply(state, input);
    state = applied.state;
    const wrong = random() < 0.2;
    const output = wrong && input.type === "read" ? value : wrong && input.type !== "write" ? true : applied.output;
    if (random() < 0.15) history.push({ client: n, input, call, return: Number.POSITIVE_INFINITY });
    else history.push({ client: n, input, output, call, return: call + 1 + below(8) });
    time = call + (random() < 0.5 ? 1 : 0);
  }
  return history;
}

Deno.test("the search agrees with trying every order, on thousands of small random histories", () => {
  const seen = { linearizable: 0, violation: 0 };
  for (let seed = 1; seed <= 5000; seed++) {
    const history = randomHistory(seededRandom(seed));
    const expected = bruteForce(history) ? "linearizable" : "violation";
    assert.equal(checkLinearizable(registerModel, history).verdict, expected, `seed ${seed}`);
    seen[expected]++;
  }
  assert.ok(seen.linearizable > 500 && seen.violation > 500, JSON.stringify(seen));
});

Deno.test("parts are checked separately, and the one that fails is named", () => {
  type Keyed = { readonly key: string; readonly input: RegisterInput };
  const keyed = {
    ...registerModel,
    apply: (state: string | null, { input }: Keyed) => registerModel.apply(state, input),
    part: ({ key }: Keyed) => key,
    readOnly: ({ input }: Keyed) => input.type === "read",
  };
  const write = (key: string, value: string, call: number) => ({
    client: 1,
    input: { key, input: { type: "write", value } as const },
    output: null,
    call,
    return: call + 1,
  });
  const read = (key: string, output: string | null, call: number) => ({
    client: 2,
    input: { key, input: { type: "read" } as const },
    output,
    call,
    return: call + 1,
  });
  const good = [write("a", "1", 0), read("b", null, 2), write("b", "2", 4), read("a", "1", 6), read("b", "2", 8)];
  assert.equal(checkLinearizable(keyed, good).verdict, "linearizable");
  const found = checkLinearizable(keyed, [...good, read("b", null, 10), read("b", "2", 12)]);
  assert.equal(found.verdict, "violation");
  assert(found.verdict === "violation");
  assert.deepEqual([found.part, found.wrong.call, found.smallest.length], ["b", 10, 2]);
});

Deno.test("a search that would take too long is undecided, not wrong", () => {
  const history: Step[] = Array.from({ length: 12 }, (_, n) => ({
    client: n,
    input: { type: "write", value: String(n) },
    output: null,
    call: 0,
    return: 10,
  }));
  history.push({ client: 99, input: { type: "read" }, output: "none of them", call: 20, return: 21 });
  assert.deepEqual(checkLinearizable(registerModel, history, { maxSteps: 100 }), { verdict: "undecided", part: "" });
  assert.equal(checkLinearizable(registerModel, history).verdict, "violation");
});
