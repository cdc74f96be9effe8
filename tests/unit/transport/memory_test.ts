import assert from "node:assert/strict";
import { RaftError } from "../../../lib/errors.ts";
import type { Envelope } from "../../../lib/transport.ts";
import { sampleEnvelope, transportConformance, type TransportFixture } from "../../../transport/conformance.ts";
import { decodeEnvelope, encodeEnvelope } from "../../../transport/wire/codec.ts";
import { MemoryNetwork, type MemoryNetworkOptions } from "../../../transport/memory.ts";
import { memoryTransportFixture } from "../../support/memory_transport.ts";
import { VirtualHost } from "../../support/virtual_host.ts";

function fixtureOf(options: MemoryNetworkOptions): () => TransportFixture {
  return () => {
    const host = new VirtualHost(7);
    const network = new MemoryNetwork({ host, ...options });
    return memoryTransportFixture(network, { pause: (durationMs) => host.runFor(durationMs) });
  };
}

const variants: Record<string, MemoryNetworkOptions> = {
  "at once": {},
  "late, lossy and repeated": { loss: 0.2, duplication: 0.2, maxDelayMs: 20, reordering: 0.1 },
  "through the codec": { carry: (envelope) => decodeEnvelope(encodeEnvelope(envelope)) },
};
for (const [variant, options] of Object.entries(variants)) {
  for (const { name, run } of transportConformance(fixtureOf(options))) {
    Deno.test(`memory transport (${variant}): ${name}`, run);
  }
}

/** A network of nodes a and b; what arrives at each is kept as terms. */
async function couple(options: MemoryNetworkOptions = {}, seed = 1) {
  const host = new VirtualHost(seed);
  const network = new MemoryNetwork({ host, ...options });
  const [a, b] = [network.transport("a"), network.transport("b")];
  const [atA, atB]: [number[], number[]] = [[], []];
  const keep = (list: number[]) => (envelope: Envelope) => void list.push(envelope.message.term);
  await a.start(keep(atA));
  await b.start(keep(atB));
  const send = (from: "a" | "b", term: number): void =>
    (from === "a" ? a : b).send(from === "a" ? "b" : "a", sampleEnvelope({ type: "TimeoutNow", term }));
  return { host, network, a, b, atA, atB, send };
}

Deno.test("memory network: one seed gives one run, another seed another", async () => {
  const runs: number[][] = [];
  for (const seed of [5, 5, 6]) {
    const { host, atB, send } = await couple({ loss: 0.3, duplication: 0.3, maxDelayMs: 50, reordering: 0.2 }, seed);
    for (let term = 1; term <= 100; term++) send("a", term);
    await host.runFor(1000);
    runs.push(atB);
  }
  assert.deepEqual(runs[0], runs[1]);
  assert.notDeepEqual(runs[0], runs[2]);
  assert.notDeepEqual(runs[0], [...runs[0]!].sort((x, y) => x - y), "messages overtake each other");
});

Deno.test("memory network: without faults messages arrive once, in order", async () => {
  const { host, atB, send } = await couple({ minDelayMs: 3 });
  for (let term = 1; term <= 50; term++) send("a", term);
  await host.runFor(2.9);
  assert.equal(atB.length, 0);
  await host.runFor(0.2);
  assert.deepEqual(atB, Array.from({ length: 50 }, (_, i) => i + 1));
});

Deno.test("memory network: a block cuts one direction, including messages in flight", async () => {
  const { host, network, atA, atB, send } = await couple({ minDelayMs: 5 });
  send("a", 1);
  network.block("a", "b");
  send("a", 2);
  send("b", 3);
  await host.runFor(10);
  assert.deepEqual([atA, atB], [[3], []]);
  network.unblock("a", "b");
  send("a", 4);
  await host.runFor(10);
  assert.deepEqual(atB, [4]);
});

Deno.test("memory network: partitions and isolation cut both ways until healed", async () => {
  const { host, network, atA, atB, send } = await couple();
  const both = async (term: number): Promise<void> => {
    send("a", term);
    send("b", term);
    await host.drain();
  };
  network.partition(["a"], ["b"]);
  await both(1);
  network.partition(["a", "b"]);
  await both(2);
  network.partition(["a"]);
  await both(3);
  network.heal();
  network.isolate("b");
  await both(4);
  network.heal();
  await both(5);
  assert.deepEqual([atA, atB], [[2, 5], [2, 5]]);
});

Deno.test("memory network: messages in flight are bounded and counted", async () => {
  const { host, network, atB, send } = await couple({ minDelayMs: 10, maxInflightMessages: 4 });
  for (let term = 1; term <= 10; term++) send("a", term);
  assert.deepEqual(network.counts, { sent: 10, delivered: 0, dropped: 6, inFlight: 4 });
  await host.runFor(20);
  assert.deepEqual(atB, [1, 2, 3, 4]);
  assert.deepEqual(network.counts, { sent: 10, delivered: 4, dropped: 6, inFlight: 0 });
});

Deno.test("memory network: damaged messages are dropped", async () => {
  const { host, network, atB, send } = await couple({
    carry(envelope) {
      if (envelope.message.term === 2) throw new Error("damaged");
      return envelope;
    },
  });
  for (const term of [1, 2, 3]) send("a", term);
  await host.drain();
  assert.deepEqual(atB, [1, 3]);
  assert.equal(network.counts.dropped, 1);
});

Deno.test("memory network: an address has one transport, and faults are checked", async () => {
  const { network, a } = await couple();
  await assert.rejects(
    network.transport("a").start(() => {}),
    (error) => error instanceof RaftError && error.code === "refused",
  );
  await a.close();
  await network.transport("a").start(() => {});
  for (const faults of [{ loss: 1.1 }, { duplication: -1 }, { reordering: NaN }, { maxDelayMs: Infinity }]) {
    assert.throws(
      () => network.setFaults(faults),
      (error) => error instanceof RaftError && error.code === "invalid_argument",
    );
  }
});
