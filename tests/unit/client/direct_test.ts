import assert from "node:assert/strict";
import { Coordinator } from "../../../lib/client/coordinator.ts";
import { DirectClientTransport, type DirectNode } from "../../../lib/client/direct.ts";
import { RaftError } from "../../../lib/errors.ts";
import { KeyValueClient } from "../../../lib/kv/client.ts";
import { KEY_MAX_BYTES, VALUE_MAX_BYTES } from "../../../lib/kv/commands.ts";
import { KeyValue } from "../../../lib/kv/key_value.ts";
import { RaftNode } from "../../../lib/node/mod.ts";
import { membershipOf } from "../../../lib/raft/mod.ts";
import { Sessions } from "../../../lib/sessions/sessions.ts";
import { MemoryDisk, MemoryStorage } from "../../../storage/memory.ts";
import { MemoryNetwork, MemoryTransport } from "../../../transport/memory.ts";
import { collect, sameBytes } from "../../support/snapshots.ts";

const text = (value: Uint8Array): string => new TextDecoder().decode(value);

Deno.test("direct transport: each command has its own result; an absent node is unreachable", async () => {
  const node = {
    propose: (command: Uint8Array) =>
      command[0] === 0
        ? Promise.reject(new RaftError("busy", "too much"))
        : Promise.resolve({ index: command[0]!, term: 1, result: command }),
    read: (query: Uint8Array) => Promise.resolve({ result: query, appliedIndex: 9 }),
    status: () => {
      throw new RaftError("closed", "closed");
    },
  } satisfies DirectNode as Partial<RaftNode> as RaftNode;
  const nodes = new Map([["n1", node]]);
  const transport = new DirectClientTransport(nodes);
  const results = await transport.propose("n1", [new Uint8Array([0]), new Uint8Array([5])]);
  assert.equal(!results[0]!.ok && results[0]!.error.code, "busy");
  assert.deepEqual(results[1], { ok: true, index: 5, result: new Uint8Array([5]) });
  assert.equal((await transport.read("n1", new Uint8Array([1]))).appliedIndex, 9);
  await assert.rejects(transport.status("n1"), { code: "closed" });
  for (const call of [transport.propose("n2", []), transport.read("n2", new Uint8Array(0)), transport.status("n2")]) {
    await assert.rejects(call, { code: "unreachable", outcome: "rejected" });
  }
  nodes.set("n2", node);
  assert.deepEqual(await transport.propose("n2", []), []);
});

Deno.test("key-value client: another state machine's answers are reported as `unsupported`", async () => {
  const answer = new TextEncoder().encode('{"refused":"what is this?"}');
  const kv = new KeyValueClient({
    propose: () => Promise.resolve({ index: 1, result: answer }),
    read: () => Promise.resolve({ result: answer, appliedIndex: 1 }),
  });
  await assert.rejects(kv.get("a"), { code: "unsupported", outcome: "rejected" });
  await assert.rejects(kv.list(), { code: "unsupported", outcome: "rejected" });
  // It was applied, with whatever meaning it has there.
  await assert.rejects(kv.put("a", "1"), { code: "unsupported", outcome: "unknown" });
  await assert.rejects(kv.delete("a"), { code: "unsupported", outcome: "unknown" });
});

async function startCluster(ids: readonly string[]) {
  const network = new MemoryNetwork();
  const members = ids.map((id) => ({ id, address: id, incarnation: id }));
  const bootstrap = { clusterId: "c", membership: membershipOf({ voters: members, learners: [] }) };
  const nodes = new Map<string, RaftNode>();
  const states = new Map<string, Sessions>();
  for (const id of ids) {
    const stateMachine = new Sessions(new KeyValue());
    states.set(id, stateMachine);
    nodes.set(
      id,
      await RaftNode.start({
        id,
        address: id,
        stateMachine,
        storage: new MemoryStorage(new MemoryDisk()),
        transport: new MemoryTransport(network, id),
        bootstrap,
        incarnation: id,
        electionTimeoutMs: 300,
        heartbeatIntervalMs: 50,
      }),
    );
  }
  return { nodes, states };
}

Deno.test("a key-value client on three nodes in memory, across the loss of the leader", async () => {
  const { nodes, states } = await startCluster(["n1", "n2", "n3"]);
  await using coordinator = new Coordinator({
    endpoints: ["n1", "n2", "n3"],
    transport: new DirectClientTransport(nodes),
  });
  const kv = new KeyValueClient(coordinator);
  try {
    const first = await kv.put("colour", "green");
    assert.equal(first.previousVersion, 0);
    assert.deepEqual(await kv.compareAndSet("colour", first.version, "blue").then(({ ok }) => ok), true);
    assert.equal((await kv.compareAndSet("colour", first.version, "red")).ok, false);
    assert.equal((await kv.compareAndSet("colour", 0, null)).ok, false);
    assert.equal(text((await kv.get("colour")).value!), "blue");
    assert.deepEqual(await kv.get("nothing").then(({ value, version }) => [value, version]), [undefined, 0]);
    await assert.rejects(kv.put("", "x"), { code: "invalid_argument" });
    await assert.rejects(kv.get(new Uint8Array(KEY_MAX_BYTES + 1)), { code: "too_large" });
    await assert.rejects(kv.put("x", new Uint8Array(VALUE_MAX_BYTES + 1)), { code: "too_large" });

    const writes = Array.from({ length: 200 }, (_, i) => kv.put(`n/${String(i).padStart(3, "0")}`, `${i}`));
    const leader = await coordinator.leader();
    await nodes.get(leader.id)!.close();
    nodes.delete(leader.id);
    const versions = (await Promise.all(writes)).map(({ version }) => version);
    assert.equal(new Set(versions).size, 200);
    const { entries, more, revision } = await kv.list({ prefix: "n/", startAfter: "n/009", limit: 5 });
    assert.deepEqual(entries.map(({ key }) => text(key)), ["n/010", "n/011", "n/012", "n/013", "n/014"]);
    assert.equal(more, true);
    assert.ok(revision >= Math.max(...versions));
    const all = await kv.list({ prefix: "n/", keysOnly: true, consistency: "stale" });
    assert.ok(all.entries.length <= 200);
    assert.ok((await kv.delete("colour")).previousVersion > first.version);

    const [a, b] = [...nodes.keys()];
    await sameApplied(nodes.get(a!)!, nodes.get(b!)!);
    assert.ok(sameBytes(await collect(states.get(a!)!.snapshot()), await collect(states.get(b!)!.snapshot())));
  } finally {
    for (const node of nodes.values()) await node.close();
  }
});

/** Waits until both have applied the same. */
async function sameApplied(one: RaftNode, other: RaftNode): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (one.status().appliedIndex === other.status().appliedIndex) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail("the nodes don't come to the same index");
}
