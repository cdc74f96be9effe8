import assert from "node:assert/strict";
import { PausableHost } from "../../../browser/pausable_host.ts";
import { systemHost } from "../../../lib/host.ts";
import { KeyValueClient } from "../../../lib/kv/client.ts";
import { decodeGetAnswer, encodeGet } from "../../../lib/kv/commands.ts";
import { eventually } from "../../support/server_processes.ts";
import { VirtualHost } from "../../support/virtual_host.ts";
import { Tabs } from "./tabs.ts";

const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

Deno.test("a paused host runs due tasks once it is resumed, and no cancelled ones", async () => {
  const host = new PausableHost(systemHost());
  const ran: string[] = [];
  host.pause();
  host.enqueue(() => ran.push("task"));
  host.clock.setTimer(0, () => ran.push("timer"));
  const cancel = host.clock.setTimer(0, () => ran.push("cancelled"));
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.deepEqual(ran, []);
  cancel();
  host.resume();
  await eventually("both have run", () => ran.length === 2);
  assert.deepEqual(ran, ["task", "timer"]);
});

Deno.test("what was due while a host was paused runs once, however often it is paused and resumed", async () => {
  const system = new VirtualHost();
  const host = new PausableHost(system);
  let ran = 0;
  host.pause();
  host.clock.setTimer(5, () => ran++);
  host.enqueue(() => ran++);
  await system.runFor(10);
  for (let i = 0; i < 3; i++) {
    host.resume();
    await system.drain();
    host.pause();
    await system.runFor(10);
  }
  assert.equal(ran, 2);
});

Deno.test("a paused leader serves no stale read from its lease, and is deposed without an election of its own", async () => {
  await using tabs = new Tabs();
  await tabs.begin(["n1", "n2", "n3"], { leaseReads: true });
  const slept = await tabs.leader();
  const { node, handle } = tabs.tab(slept);
  await new KeyValueClient(handle.coordinator).put("a", "old");
  const read = async () => {
    const { result } = await (await node.running).read(encodeGet(new TextEncoder().encode("a")), {
      consistency: "lease",
    });
    const answer = decodeGetAnswer(result);
    return text(answer.ok ? answer.entry?.value : undefined);
  };
  assert.equal(await read(), "old");
  await node.pause();
  const next = await tabs.leader(slept);
  await new KeyValueClient(tabs.tab(next).handle.coordinator).put("a", "new");
  const { term } = tabs.tab(next).node.status();
  assert.equal(node.status().role, "leader");
  node.resume();
  // In the same turn: no message can have reached it yet.
  const stale = await read().catch((error) => error.code);
  assert.notEqual(stale, "old");
  await eventually("it follows", () => node.status().leader?.id === next);
  assert.equal(node.status().term, term);
  assert.equal(tabs.tab(next).node.status().role, "leader");
});

Deno.test("a leader whose page is frozen hands leadership over, pauses, and returns", async () => {
  await using tabs = new Tabs();
  await tabs.begin(["n1", "n2", "n3"]);
  const frozen = await tabs.leader();
  const { node } = tabs.tab(frozen);
  const reasons: string[] = [];
  for (const [id, { handle }] of tabs.open) {
    if (id === frozen) continue;
    handle.addEventListener("raft", ({ detail }) => {
      if (detail.type === "electionStarted") reasons.push(detail.reason);
    });
    await handle.status();
  }
  await node.pause({ handOver: true });
  assert.equal(node.life.life, "paused");
  await tabs.leader(frozen);
  await eventually("the page is notified of the election", () => reasons.length > 0);
  assert.deepEqual(reasons, ["transfer"]);
  node.resume();
  assert.equal(node.life.life, "running");
  await new KeyValueClient(tabs.tab(frozen).handle.coordinator).put("a", "1");
  await eventually("it has caught up", () => node.status().appliedIndex === node.status().commitIndex);
});

Deno.test("a paused node answers only its page, until all pauses are resumed", async () => {
  await using tabs = new Tabs();
  await tabs.begin(["n1", "n2", "n3"]);
  const follower = [...tabs.open.keys()].find((id) => tabs.tab(id).node.status().role !== "leader")!;
  const { node, handle } = tabs.tab(follower);
  await handle.pause();
  await eventually("the page is notified", () => handle.life.life === "paused");
  assert.equal((await handle.status()).id, follower);
  const other = tabs.tab(await tabs.leader()).handle;
  const refused = await other.client.status(handle.address).catch((error) => error);
  assert.deepEqual([refused.code, refused.outcome], ["not_ready", "rejected"]);
  await assert.rejects(handle.client.status(handle.address), { code: "not_ready" });

  // It receives nothing, and does not campaign without a leader.
  const { commitIndex, term } = node.status();
  await new KeyValueClient(other.coordinator).put("a", "1");
  assert.deepEqual([node.status().commitIndex, node.status().term], [commitIndex, term]);
  await handle.resume();
  await eventually("it catches up", () => node.status().appliedIndex > commitIndex);
  assert.equal(node.status().term, term);
});

Deno.test("a paused leader can be closed", async () => {
  await using tabs = new Tabs();
  await tabs.begin(["n1", "n2", "n3"]);
  const leader = await tabs.leader();
  const { handle } = tabs.tab(leader);
  await handle.pause();
  await tabs.stop(leader);
  assert.equal(handle.life.life, "closed");
});

Deno.test("a page that is resumed while its node hands over finds it running", async () => {
  await using tabs = new Tabs();
  await tabs.begin(["n1", "n2", "n3"]);
  const { node } = tabs.tab(await tabs.leader());
  const pausing = node.pause({ handOver: true });
  node.resume();
  await pausing;
  assert.equal(node.life.life, "running");
});
