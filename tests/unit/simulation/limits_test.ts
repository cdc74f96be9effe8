/** Every option is known to the plan, and every one that is said to vary does. */

import assert from "node:assert/strict";
import { Decisions } from "../../../simulation/decisions.ts";
import { TREATMENTS } from "../../../simulation/limits.ts";
import { drawPlan } from "../../../simulation/plan.ts";
import type { Plan } from "../../../simulation/plan.ts";

const PLANS = Array.from({ length: 2000 }, (_, i) => drawPlan(new Decisions(i + 1), {}));
const LARGE = PLANS.filter(({ bulk }) => bulk !== null);

/** Returns the values of an option in all plans; those of a client's times are among its traits. */
function valuesOf(part: keyof typeof TREATMENTS, option: string): Set<unknown> {
  return new Set(PLANS.map((plan) => {
    const given = part === "coordinator" ? { ...plan.clients, ...plan.coordinator } : plan[part];
    return (given as Record<string, unknown>)[option];
  }));
}

/** The options that follow from others. */
const DERIVED = new Set(["maxBackoffMs"]);

for (const [part, options] of Object.entries(TREATMENTS)) {
  Deno.test(`the options of ${part} vary as stated`, () => {
    for (const [option, treatment] of Object.entries(options)) {
      const values = valuesOf(part as keyof typeof TREATMENTS, option);
      if (treatment === "varied" && !DERIVED.has(option)) {
        assert.ok(values.size >= 2, `${option} has only the value ${[...values]}`);
      }
      if (treatment !== "varied") assert.deepEqual([...values], [undefined], `${option} is said not to vary`);
    }
  });
}

/** The option names of a source, as its interface declares them. */
function declared(file: string, name: string): string[] {
  const text = Deno.readTextFileSync(new URL(`../../../${file}`, import.meta.url));
  const body = new RegExp(`export interface ${name} \\{\n(.*?)\n\\}`, "s").exec(text)?.[1];
  assert.ok(body !== undefined, `${file} declares ${name}`);
  return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, option]) => option!);
}

Deno.test("each option of the parts in the simulator is known to the plan", () => {
  const sources = {
    node: ["lib/node/types.ts", "RaftNodeOptions"],
    storage: ["storage/file/file_storage.ts", "FileStorageOptions"],
    sessions: ["lib/sessions/session_table.ts", "SessionLimits"],
    keyValue: ["lib/kv/key_value.ts", "KeyValueOptions"],
    forwards: ["hosting/forward_budget.ts", "ForwardLimits"],
    coordinator: ["lib/client/coordinator.ts", "CoordinatorOptions"],
  } as const;
  for (const [part, [file, name]] of Object.entries(sources)) {
    assert.deepEqual(Object.keys(TREATMENTS[part as keyof typeof sources]).sort(), declared(file, name).sort(), part);
  }
});

Deno.test("in large seeds, entries are packed, and a snapshot has several blocks", () => {
  assert.ok(LARGE.length > 60 && LARGE.length < 200, `${LARGE.length} of 2000`);
  const PACKING_BYTES = 4 * 64 * 1024;
  for (const { node, bulk } of LARGE) {
    assert.ok((node.maxCachedBytes ?? 0) >= PACKING_BYTES);
    assert.ok(bulk!.keys * bulk!.valueBytes / 2 > 2 * 64 * 1024);
  }
});

Deno.test("state machines are slow in a share of seeds, and not too slow to follow", () => {
  const slow = PLANS.flatMap(({ slow }) => slow === null ? [] : [slow]);
  assert.ok(slow.length > 200 && slow.length < 500, `${slow.length} of 2000`);
  for (const { applies, mostMs } of slow) assert.ok(applies * mostMs / 2 * 130 <= 1000, `${applies} ${mostMs}`);
});

Deno.test("a run with faults of its own, or with its own state machine, is neither large nor narrowed by others", () => {
  const own: Partial<Plan>[] = Array.from({ length: 200 }, (_, i) => {
    return drawPlan(new Decisions(i + 1), { faults: [], stateMachine: () => null });
  });
  assert.ok(own.every(({ bulk, slow }) => bulk === null && slow === null));
});
