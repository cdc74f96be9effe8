import assert from "node:assert/strict";
import { connectBrowserNode, startBrowserNode } from "../../../browser/mod.ts";
import type { NodePlace } from "../../../browser/mod.ts";
import { RaftError, StorageError } from "../../../lib/errors.ts";
import { KeyValueClient } from "../../../lib/kv/client.ts";
import { KeyValue } from "../../../lib/kv/key_value.ts";
import { Sessions } from "../../../lib/sessions/sessions.ts";
import { MemoryDisk, MemoryStorage } from "../../../storage/memory.ts";
import { PacketTransport } from "../../../transport/tab/mod.ts";
import { eventually } from "../../support/server_processes.ts";
import { Post } from "../transport/packet/memory_channel.ts";
import { Tabs } from "./tabs.ts";

const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

Deno.test("a single node bootstraps, accepts a write, and still has it after a restart", async () => {
  await using tabs = new Tabs();
  await tabs.begin(["n1"]);
  await new KeyValueClient(tabs.tab("n1").handle.coordinator).put("a", "1");
  await tabs.stop("n1");
  const { handle } = await tabs.start("n1", {});
  const read = await new KeyValueClient(handle.coordinator).get("a");
  assert.equal(text(read.value), "1");
});

Deno.test("three nodes bootstrap once all are there, and all pages read the writes of each", async () => {
  await using tabs = new Tabs();
  const bootstrap = { members: ["n1", "n2", "n3"] };
  const { handle } = await tabs.start("n1", { bootstrap });
  await tabs.start("n2", { bootstrap });
  await eventually(
    "n1 waits for n3 alone",
    () => handle.life.life === "waiting" && /for n3$/.test(handle.life.reason),
  );
  const { code, outcome } = await handle.propose(new Uint8Array(1), { timeoutMs: 50 }).catch((error) => error);
  assert.deepEqual([code, outcome], ["timeout", "rejected"]);
  await tabs.start("n3", { bootstrap });
  await handle.running;
  await tabs.leader();
  const statuses = await Promise.all([...tabs.open.values()].map(({ handle }) => handle.status()));
  assert.equal(new Set(statuses.map(({ clusterId }) => clusterId)).size, 1);
  assert.deepEqual(statuses[0]?.membership.voters, ["n1", "n2", "n3"]);
  for (const [id, { handle }] of tabs.open) await new KeyValueClient(handle.coordinator).put(id, id);
  for (const { handle } of tabs.open.values()) {
    const { entries } = await new KeyValueClient(handle.coordinator).list();
    assert.deepEqual(entries.map(({ key }) => text(key)), ["n1", "n2", "n3"]);
  }
});

Deno.test("a wiped node does not start under its old id: the page receives a hint, and following it works", async () => {
  await using tabs = new Tabs();
  const members = ["n1", "n2", "n3"];
  await tabs.begin(members);
  await tabs.stop("n3");
  const old = tabs.disk("n3").identity?.incarnation;
  tabs.disks.delete("n3");
  const { handle } = await tabs.start("n3", { bootstrap: { members } });
  const refused = await handle.running.then(() => null, (error) => error as RaftError);
  assert.ok(refused instanceof RaftError);
  assert.equal(refused.code, "refused");
  assert.match(refused.hint, /admin\.remove\("n3"\).*join/);
  assert.equal(handle.life.life, "stopped");
  assert.equal(handle.life.error?.code, "refused");
  await tabs.stop("n3");

  const there = tabs.tab("n1").handle;
  await there.admin.remove("n3");
  const again = await tabs.start("n3", { join: { through: ["tab:n1", "tab:n2"], as: "voter" } });
  await again.handle.running;
  const { members: now } = await again.handle.status();
  assert.deepEqual(now.map(({ id, suffrage }) => [id, suffrage]), members.map((id) => [id, "voter"]));
  assert.notEqual(now.find(({ id }) => id === "n3")?.incarnation, old);
});

Deno.test("a wiped node that joins under a taken name gets a hint to remove it first", async () => {
  await using tabs = new Tabs();
  await tabs.begin(["n1", "n2", "n3"]);
  await tabs.stop("n3");
  tabs.disks.delete("n3");
  const { handle } = await tabs.start("n3", { join: { through: ["tab:n1"], as: "voter" } });
  const refused = await handle.running.then(() => null, (error) => error as RaftError);
  assert.equal(refused?.code, "refused");
  assert.match(refused?.hint ?? "", /admin\.remove\("n3"\)/);
});

Deno.test("a node joins as a learner unless asked otherwise, and becomes a voter when it asks again", async () => {
  await using tabs = new Tabs();
  await tabs.begin(["n1"]);
  await new KeyValueClient(tabs.tab("n1").handle.coordinator).put("a", "1");
  const joined = await tabs.start("n2", { join: { through: ["tab:n1"] } });
  await joined.handle.running;
  const part = async (id: string) => (await joined.handle.status()).members.find((one) => one.id === id)?.suffrage;
  assert.equal(await part("n2"), "learner");
  await eventually("the learner has the write", async () => {
    const read = await new KeyValueClient(joined.handle.local).get("a", { consistency: "stale" });
    return read.value !== undefined;
  });
  await tabs.stop("n2");
  const again = await tabs.start("n2", { join: { through: ["tab:n1"], as: "voter" } });
  await again.handle.running;
  await eventually("n2 votes", async () => {
    const { members } = await again.handle.status();
    return members.every(({ suffrage }) => suffrage === "voter");
  });
  // Asked at a node that does not lead: it forwards the request.
  const other = await tabs.leader() === "n1" ? "n2" : "n1";
  assert.notEqual(await tabs.tab(other).handle.admin.transferLeadership(other), "");
  await eventually("it leads", () => tabs.tab(other).node.status().role === "leader");
});

Deno.test("storage and transport are made from the cluster's name and the node's; a lock is waited for", async () => {
  await using tabs = new Tabs();
  const places: NodePlace[] = [];
  await tabs.start("n1", {
    bootstrap: { members: ["n1"] },
    storage: (place) => (places.push(place), new MemoryStorage()),
    transport: (place) => {
      places.push(place);
      return new PacketTransport({ address: place.address, channel: tabs.post.channel(place.address) });
    },
  });
  for (const { clusterId, nodeId, address, lockWaitMs } of places) {
    assert.deepEqual({ clusterId, nodeId, address, lockWaitMs }, {
      clusterId: "tabs",
      nodeId: "n1",
      address: "tab:n1",
      lockWaitMs: 1000,
    });
  }
  assert.equal(places.length, 2);
});

Deno.test("an empty storage without bootstrap or join is refused; the page receives the whole error", async () => {
  await using tabs = new Tabs();
  const { page, worker } = tabs.worker();
  const common = {
    clusterId: "tabs",
    id: "n1",
    storage: () => new MemoryStorage(),
    transport: new PacketTransport({ address: "tab:n1", channel: new Post().channel("tab:n1") }),
    stateMachine: new Sessions(new KeyValue()),
    page,
  };
  const connecting = connectBrowserNode(worker).then(() => null, (error) => error as RaftError);
  await assert.rejects(startBrowserNode(common), { code: "invalid_argument" });
  const told = await connecting;
  assert.ok(told instanceof RaftError);
  assert.deepEqual([told.code, told.outcome], ["invalid_argument", "rejected"]);
  assert.match(told.hint, /bootstrap.*join/);

  const both = { bootstrap: { members: ["n1"] }, join: {} };
  await assert.rejects(startBrowserNode({ ...common, ...both }), { code: "invalid_argument" });
  await assert.rejects(startBrowserNode({ ...common, id: "" }), { code: "invalid_argument" });
  await assert.rejects(startBrowserNode({ ...common, clusterId: "" }), { code: "invalid_argument" });
});

Deno.test("a bootstrap that does not name the node, and the storage of another, are refused", async () => {
  await using tabs = new Tabs();
  const { handle } = await tabs.start("n1", { bootstrap: { members: ["n2"] } });
  await assert.rejects(handle.running, { code: "invalid_argument" });
  const disk = new MemoryDisk();
  disk.identity = { nodeId: "n9", incarnation: "i", clusterId: "" };
  const starting = tabs.start("n2", { storage: new MemoryStorage(disk), bootstrap: { members: ["n2"] } });
  await assert.rejects(starting, { code: "identity_mismatch" });
});

Deno.test("a node whose disk fails stops, and its page receives the reason", async () => {
  await using tabs = new Tabs();
  const storage = new MemoryStorage(tabs.disk("n1"));
  const { handle } = await tabs.start("n1", { storage, bootstrap: { members: ["n1"] } });
  await handle.running;
  await tabs.leader();
  const heard: unknown[] = [];
  handle.addEventListener("storageError", ({ detail }) => heard.push(detail.error, detail.consequence));
  await handle.status();
  storage.failNextPersist("in_doubt");
  await handle.propose(new Uint8Array(1), { timeoutMs: 300 }).catch(() => {});
  await eventually("it is stopped", () => handle.life.life === "stopped");
  assert.equal(handle.life.error?.code, "storage");
  assert.ok(heard[0] instanceof RaftError);
});

Deno.test("deleting a node's data stops it, even if it has nothing to write", async () => {
  await using tabs = new Tabs();
  let lose: () => void = () => {};
  const { handle } = await tabs.start("n1", {
    bootstrap: { members: ["n1"] },
    storage: ({ onLost }) => {
      lose = () => onLost(Object.assign(new RaftError("storage", "the database was deleted")) as never);
      return new MemoryStorage();
    },
  });
  await handle.running;
  lose();
  await eventually("it is stopped", () => handle.life.life === "stopped");
  assert.match(handle.life.reason, /was deleted/);
  await handle.close();
  assert.equal(handle.life.life, "closed");
});

Deno.test("a second node of the same worker answers the page in place of the first", async () => {
  await using tabs = new Tabs();
  const { page, worker } = tabs.worker();
  const transport = () => new PacketTransport({ address: "tab:n1", channel: tabs.post.channel("tab:n1") });
  const options = { clusterId: "tabs", id: "n1", transport, stateMachine: new KeyValue(), page };
  await assert.rejects(startBrowserNode({ ...options, storage: new MemoryStorage() }), { code: "invalid_argument" });
  const bootstrap = { members: ["n1"] };
  await using node = await startBrowserNode({ ...options, storage: new MemoryStorage(), bootstrap });
  const handle = await connectBrowserNode(worker);
  await handle.running;
  assert.equal((await handle.status()).incarnation, node.status().incarnation);
  await handle.close();
});

/** A state machine whose restore waits for the test. */
function restoredLate(): { readonly stateMachine: KeyValue; readonly go: () => void } {
  const gate = Promise.withResolvers<void>();
  const stateMachine = new KeyValue();
  const restore = stateMachine.restore.bind(stateMachine);
  stateMachine.restore = (...args) => gate.promise.then(() => restore(...args));
  return { stateMachine, go: gate.resolve };
}

Deno.test("nodes with data don't pass for empty ones while they start: a wiped node bootstraps nothing with them", async () => {
  await using tabs = new Tabs();
  const members = ["n1", "n2", "n3"];
  await tabs.begin(members);
  await new KeyValueClient(tabs.tab("n1").handle.coordinator).put("a", "1");
  const { clusterId } = tabs.tab("n1").node.status();
  for (const id of ["n2", "n3"]) {
    const { node, handle } = tabs.tab(id);
    await eventually(`${id} has the write`, () => node.status().appliedIndex >= 4);
    await handle.admin.takeSnapshot(handle.address);
  }
  for (const id of members) await tabs.stop(id);
  tabs.disks.delete("n1");
  const late = [restoredLate(), restoredLate()];
  const bootstrap = { members };
  await tabs.start("n2", { bootstrap, stateMachine: late[0]!.stateMachine });
  await tabs.start("n3", { bootstrap, stateMachine: late[1]!.stateMachine });
  const { node, handle } = await tabs.start("n1", { bootstrap });
  await eventually("n1 has asked", () => handle.life.reason.includes("n2") || handle.life.life === "running");
  const { life } = handle.life;
  for (const { go } of late) go();
  assert.equal(life, "waiting");
  await assert.rejects(handle.running, { code: "refused" });
  assert.equal(tabs.disk("n1").entries.length, 0);
  assert.equal(node.life.life, "stopped");
  await tabs.leader("n1");
  assert.equal(tabs.tab("n2").node.status().clusterId, clusterId);
});

Deno.test("deleting the data of a waiting node: no cluster starts that counts on it", async () => {
  await using tabs = new Tabs();
  let lose: () => void = () => {};
  const bootstrap = { members: ["n1", "n2"] };
  const { node, handle } = await tabs.start("n1", {
    bootstrap,
    storage: ({ onLost }) => {
      lose = () => onLost(new StorageError("the database was deleted", { disk: "in_doubt" }));
      return new MemoryStorage(tabs.disk("n1"));
    },
  });
  await eventually("it waits", () => handle.life.life === "waiting");
  lose();
  await eventually("it is stopped", () => handle.life.life === "stopped");
  const other = await tabs.start("n2", { bootstrap });
  await eventually(
    "n2 has asked",
    () => other.handle.life.reason.includes("n1") || other.handle.life.life === "running",
  );
  assert.equal(other.handle.life.life, "waiting");
  assert.equal(node.life.life, "stopped");
  assert.match(node.life.reason, /was deleted/);
});

Deno.test("deleting the data of a paused node: it releases the storage", async () => {
  await using tabs = new Tabs();
  let lose: () => void = () => {};
  const storage = new MemoryStorage(tabs.disk("n1"));
  const { node } = await tabs.start("n1", {
    bootstrap: { members: ["n1"] },
    storage: ({ onLost }) => {
      lose = () => onLost(new StorageError("the database was deleted", { disk: "in_doubt" }));
      return storage;
    },
  });
  await node.running;
  await node.pause();
  lose();
  await eventually(
    "the storage is closed",
    () => storage.openSnapshot().then(() => false, ({ code }) => code === "closed"),
  );
});

Deno.test("a node that stops while it joins stays stopped, and asks no other node", async () => {
  await using tabs = new Tabs();
  let lose: () => void = () => {};
  const { handle } = await tabs.start("n2", {
    join: { through: ["tab:nobody"] },
    storage: ({ onLost }) => {
      lose = () => onLost(new StorageError("the database was deleted", { disk: "in_doubt" }));
      return new MemoryStorage(tabs.disk("n2"));
    },
  });
  await eventually("it asks", () => handle.life.life === "waiting");
  const lives: string[] = [];
  handle.addEventListener("life", ({ detail }) => void lives.push(detail.life));
  lose();
  await assert.rejects(handle.running, { code: "storage" });
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.equal(lives.at(-1), "stopped");
  assert.equal(lives.filter((life) => life === "stopped").length, 1);
});

Deno.test("a node whose disk fails while it asks for a vote is stopped, and asks no more", async () => {
  await using tabs = new Tabs();
  await tabs.begin(["n1"]);
  const joined = await tabs.start("n2", { join: { through: ["tab:n1"] } });
  await joined.handle.running;
  await tabs.stop("n2");
  const storage = new MemoryStorage(tabs.disk("n2"));
  let asked = 0;
  const again = await tabs.start("n2", {
    join: { through: ["tab:n1"], as: "voter" },
    storage,
    transport: ({ address }) => {
      const transport = new PacketTransport({ address, channel: tabs.post.channel(address) });
      transport.call = () => (asked++, Promise.reject(new RaftError("unreachable", "no node is there")));
      return transport;
    },
  });
  await again.handle.running;
  await eventually("it asks", () => asked > 0);
  storage.failNextPersist("in_doubt");
  await new KeyValueClient(tabs.tab("n1").handle.coordinator).put("a", "1");
  await eventually("it is stopped", () => again.handle.life.life === "stopped");
  const before = asked;
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.ok(asked <= before + 1, `it has asked ${asked - before} times more`);
});

Deno.test("invalid options are reported to the page, too", async () => {
  await using tabs = new Tabs();
  const { page, worker } = tabs.worker();
  const connecting = connectBrowserNode(worker).then(() => null, (error) => error as RaftError);
  const starting = startBrowserNode({
    clusterId: "tabs",
    id: "",
    storage: () => new MemoryStorage(),
    transport: new PacketTransport({ address: "tab:n1", channel: new Post().channel("tab:n1") }),
    stateMachine: new KeyValue(),
    page,
  });
  await assert.rejects(starting, { code: "invalid_argument" });
  const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), 1000));
  assert.equal((await Promise.race([connecting, late]))?.code, "invalid_argument");
});
