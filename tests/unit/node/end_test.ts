import assert from "node:assert/strict";
import type { RaftError } from "../../../lib/errors.ts";
import { RaftNode } from "../../../lib/node/mod.ts";
import type { RaftNodeOptions } from "../../../lib/node/types.ts";
import { membershipOf } from "../../../lib/raft/membership.ts";
import type { StateMachine } from "../../../lib/state_machine.ts";
import { MemoryDisk, MemoryStorage } from "../../../storage/memory.ts";
import { MemoryNetwork } from "../../../transport/memory.ts";
import { VirtualHost } from "../../support/virtual_host.ts";

const member = (id: string) => ({ id, address: id, incarnation: "" });
const bootstrap = (...ids: string[]) => ({ clusterId: "c", membership: membershipOf({ voters: ids.map(member) }) });

function machine(parts: Partial<StateMachine> = {}): StateMachine {
  return {
    apply: () => new Uint8Array(0),
    query: () => new Uint8Array(0),
    async *snapshot() {},
    restore: () => Promise.resolve(),
    ...parts,
  };
}

async function start(host: VirtualHost, options: Partial<RaftNodeOptions> = {}): Promise<RaftNode> {
  return await host.run(RaftNode.start({
    id: "n1",
    address: "n1",
    host,
    storage: new MemoryStorage(),
    transport: new MemoryNetwork({ host }).transport("n1"),
    stateMachine: machine(),
    bootstrap: bootstrap("n1"),
    ...options,
  }));
}

const outcome = (promise: Promise<unknown>) =>
  promise.then(() => "done", (error: RaftError) => `${error.code} ${error.outcome}`);

Deno.test("a node that is closed has no timer left, and each of its requests has ended", async () => {
  const host = new VirtualHost();
  const node = await start(host, { bootstrap: bootstrap("n1", "n2", "n3") });
  const leads = outcome(node.leadership());
  await host.runFor(500);
  await host.run(node.close());
  assert.equal(await leads, "closed unknown");
  assert.equal(host.pendingTimers, 0);
});

Deno.test("reads that wait behind a slow command end with the node", async () => {
  const host = new VirtualHost();
  const node = await start(host, { stateMachine: machine({ apply: () => new Promise(() => {}) }) });
  await host.run(node.leadership());
  node.propose(new Uint8Array(1)).catch(() => {});
  await host.runFor(100);
  const stale = outcome(node.read(new Uint8Array(1), { consistency: "stale" }));
  const linearizable = outcome(node.read(new Uint8Array(1)));
  await host.runFor(100);
  await host.run(node.close());
  assert.deepEqual([await stale, await linearizable], ["closed rejected", "closed rejected"]);
});

Deno.test("queries behind one that is under way end with the node", async () => {
  const host = new VirtualHost();
  const { promise: answered, resolve } = Promise.withResolvers<Uint8Array>();
  let asked = 0;
  const query = () => {
    asked++;
    return answered;
  };
  const node = await start(host, { stateMachine: machine({ query }) });
  await host.run(node.leadership());
  const reads = [1, 2, 3].map(() => outcome(node.read(new Uint8Array(1), { consistency: "stale" })));
  await host.runFor(100);
  assert.equal(asked, 1);
  await host.run(node.close());
  resolve(new Uint8Array(1));
  await host.drain();
  assert.deepEqual(await host.run(Promise.all(reads)), ["done", "closed rejected", "closed rejected"]);
  assert.equal(asked, 1);
});

Deno.test("§6.4.1: a lease read waits until the state machine has what was committed", async () => {
  const host = new VirtualHost();
  const { promise: applied, resolve } = Promise.withResolvers<Uint8Array>();
  let commands = 0;
  const apply = () => applied.then((answer) => (commands++, answer));
  const query = () => Uint8Array.of(commands);
  const node = await start(host, { stateMachine: machine({ apply, query }), leaseReads: true });
  await host.run(node.leadership());
  const proposed = Promise.all([1, 2, 3].map((command) => node.propose(Uint8Array.of(command))));
  await host.runUntil(() => node.status().commitIndex === node.status().appliedIndex + 3);
  await host.runFor(300);
  const read = node.read(new Uint8Array(1), { consistency: "lease" });
  await host.runFor(100);
  resolve(new Uint8Array(0));
  assert.deepEqual((await host.run(read)).result, Uint8Array.of(3));
  await host.run(proposed);
  await host.run(node.close());
});

Deno.test("a start that was cut off between identity and first membership writes the cluster's id, too", async () => {
  const disk = new MemoryDisk();
  const cut = new MemoryStorage(disk);
  await cut.load();
  await cut.initialize({ nodeId: "n1", incarnation: "i", clusterId: "" });
  await cut.close();
  const host = new VirtualHost();
  const node = await start(host, { storage: new MemoryStorage(disk) });
  await host.run(node.close());
  const again = new MemoryStorage(disk);
  const { identity, lastIndex } = await again.load();
  assert.equal(identity?.clusterId, "c");
  assert.ok(lastIndex > 0);
  await again.close();
});

Deno.test("whileLeading leaves no listener at the caller's signal", async () => {
  const host = new VirtualHost();
  const node = await start(host);
  const { signal } = new AbortController();
  let listeners = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
  const leading = node.whileLeading(() => {}, { signal });
  await host.runFor(3000);
  assert.equal(listeners, 1);
  await host.run(node.close());
  await leading;
  assert.equal(listeners, 0);
});
