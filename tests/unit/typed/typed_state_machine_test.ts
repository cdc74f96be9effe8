import assert from "node:assert/strict";
import { TypedClient, type TypedDefinition, typedStateMachine } from "../../../lib/typed/typed_state_machine.ts";
import type { StateMachine } from "../../../lib/state_machine.ts";
import { collect } from "../../support/snapshots.ts";

const counter = (version: number): TypedDefinition<{ total: number }, { add: number }, number, null, string> => ({
  version,
  initial: () => ({ total: 0 }),
  apply: (state, { add }) => state.total += add,
  query: ({ total }) => `total ${total}`,
});

function clientOf(machine: StateMachine, version: number) {
  let index = 0;
  return new TypedClient<{ add: number }, number, null, string>(counter(version), {
    propose: async (data) => ({ index: ++index, result: await machine.apply({ index, term: 1, data }) }),
    read: async (query) => ({ result: await machine.query(query), appliedIndex: index }),
  });
}

async function* stream(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* await Promise.resolve(chunks);
}

Deno.test("commands, answers and queries are values, and a snapshot holds the state of its moment", async () => {
  const machine = typedStateMachine(counter(1));
  const client = clientOf(machine, 1);
  assert.deepEqual([await client.propose({ add: 2 }), await client.propose({ add: 3 })], [2, 5]);
  const snapshot = machine.snapshot();
  await client.propose({ add: 1 });
  assert.equal(await client.read(null), "total 6");
  const bytes = await collect(snapshot);
  const restored = typedStateMachine(counter(2));
  await restored.restore(stream(bytes.slice(0, 3), bytes.slice(3)));
  assert.equal(await clientOf(restored, 1).read(null), "total 5");
});

Deno.test("bytes that are not a command are answered with an error, and stop no node", async () => {
  const machine = typedStateMachine(counter(1));
  for (const garbage of [new Uint8Array(0), new Uint8Array([255]), new Uint8Array([0x54, 1, 123])]) {
    assert.deepEqual(await machine.apply({ index: 1, term: 1, data: garbage }), new Uint8Array([1]));
    const client = new TypedClient<{ add: number }, number, null, string>(counter(1), {
      propose: async (data) => ({ index: 1, result: await machine.apply({ index: 1, term: 1, data: data.slice(2) }) }),
      read: async () => ({ result: await machine.query(garbage), appliedIndex: 1 }),
    });
    await assert.rejects(client.propose({ add: 1 }), { code: "invalid_argument", outcome: "rejected" });
    await assert.rejects(client.read(null), { code: "invalid_argument", outcome: "rejected" });
  }
  assert.equal(await clientOf(machine, 1).read(null), "total 0");
});

Deno.test("a command or snapshot of a newer version is refused before anything changes", async () => {
  const machine = typedStateMachine(counter(1));
  await clientOf(machine, 1).propose({ add: 7 });
  await assert.rejects(clientOf(machine, 2).propose({ add: 1 }), { code: "unsupported_version" });
  const newer = await collect(typedStateMachine(counter(2)).snapshot());
  await assert.rejects(machine.restore(stream(newer)), { code: "unsupported_version" });
  assert.equal(await clientOf(machine, 1).read(null), "total 7");
});
