import assert from "node:assert/strict";
import { type Client, createClient } from "@connectrpc/connect";
import { startBrowserNode } from "../../../browser/mod.ts";
import type { BrowserNode, JoinOptions } from "../../../browser/mod.ts";
import { nodeMethods } from "../../../browser/node_methods.ts";
import { Coordinator } from "../../../lib/client/coordinator.ts";
import { RaftError } from "../../../lib/errors.ts";
import { KeyValueClient } from "../../../lib/kv/client.ts";
import { KeyValue } from "../../../lib/kv/key_value.ts";
import { RaftNode } from "../../../lib/node/mod.ts";
import { Sessions } from "../../../lib/sessions/sessions.ts";
import type { Server, ServerOptions } from "../../../server/server.ts";
import { startServer } from "../../../server/server.ts";
import { MemoryDisk, MemoryStorage } from "../../../storage/memory.ts";
import { createConnectClientTransport } from "../../../transport/connect/client_transport.ts";
import { fetchTransport } from "../../../transport/connect/http_client.ts";
import { fromConnectError } from "../../../transport/wire/connect_errors.ts";
import type { RelayClient } from "../../../transport/relay/mod.ts";
import { tabAddress } from "../../../transport/tab/mod.ts";
import { AdminService } from "../../../transport/wire/gen/raft/v1/admin_pb.ts";
import { raftCommand } from "../../support/raft_command.ts";
import { eventually, freePort } from "../../support/server_processes.ts";
import { pageOf } from "../transport/relay/relay_fixture.ts";

const TIMEOUTS = { electionTimeoutMs: 300, heartbeatIntervalMs: 50 };
const adminOf = (address: string): Client<typeof AdminService> => createClient(AdminService, fetchTransport(address));
const quiet = { info() {}, warn() {}, error() {} };

/** Servers in this process, and a page with a node. */
class Mixed {
  readonly servers: Server[] = [];
  readonly #closing: { close(): Promise<void> }[] = [];

  static async start(size: number, options: Partial<ServerOptions> = {}): Promise<Mixed> {
    const mixed = new Mixed();
    const ports = await Promise.all(Array.from({ length: size }, freePort));
    const peers = ports.map((port, at) => ({ id: `n${at + 1}`, address: `http://127.0.0.1:${port}` }));
    for (const { id } of peers) {
      const storage = new MemoryStorage();
      const server = await startServer({ id, data: "memory", storage, peers, logger: quiet, ...TIMEOUTS, ...options });
      mixed.servers.push(server);
      mixed.closes(server);
    }
    await mixed.leader();
    return mixed;
  }

  get first(): Server {
    return this.servers[0]!;
  }

  closes<T extends { close(): Promise<void> }>(one: T): T {
    this.#closing.unshift(one);
    return one;
  }

  async leader(): Promise<string> {
    return await eventually("all servers follow one leader", () => {
      const leaders = new Set(this.servers.map((server) => server.status().leader?.id));
      return leaders.size === 1 ? [...leaders][0] : undefined;
    });
  }

  page(): RelayClient {
    return this.closes(pageOf([this.first.address]));
  }

  async tab(id: string, join: JoinOptions, disk = new MemoryDisk()): Promise<BrowserNode> {
    const relay = this.page();
    const node = await startBrowserNode({
      clusterId: "mixed",
      id,
      storage: new MemoryStorage(disk),
      transport: (place) => relay.transport(place),
      stateMachine: new KeyValue(),
      page: null,
      join,
      ...TIMEOUTS,
    });
    this.closes(node);
    await node.running;
    return node;
  }

  /** Makes the tab the leader, as the servers know. */
  async tabLeads(as = "t1"): Promise<BrowserNode> {
    const tab = await this.tab(as, { as: "voter" });
    const { leaderId } = await this.admin.transferLeadership({ to: as });
    assert.equal(leaderId, as);
    await eventually("the servers follow the tab", () => this.servers.every((one) => one.status().leader?.id === as));
    return tab;
  }

  get admin() {
    return adminOf(this.first.address);
  }

  get(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`${this.first.address}${path}`, init);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#closing) await one.close();
  }
}

Deno.test("a tab joins as a learner unless asked otherwise, and is promoted by an operator", async () => {
  await using mixed = await Mixed.start(3);
  const tab = await mixed.tab("t1", {});
  assert.equal((await mixed.get("/kv/a", { method: "PUT", body: "1" })).status, 201);
  const { commitIndex } = mixed.first.status();
  await eventually("the tab has what was written", () => tab.status().appliedIndex >= commitIndex);
  const suffrage = () => mixed.first.status().members.find(({ id }) => id === "t1")?.suffrage;
  assert.equal(suffrage(), "learner");
  await eventually("it is caught up", async () => {
    try {
      return await mixed.admin.promoteMember({ id: "t1" });
    } catch (error) {
      if (fromConnectError(error).code !== "not_ready") throw error;
      return null;
    }
  });
  await eventually("it votes", () => suffrage() === "voter");
});

Deno.test("a server that waits for its peers answers the calls of tabs as it answers those of others", async () => {
  const [mine, other] = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`);
  const peers = [{ id: "n1", address: mine! }, { id: "n2", address: other! }];
  const server = await startServer({ id: "n1", data: "memory", storage: new MemoryStorage(), peers, logger: quiet });
  const relay = pageOf([server.address]);
  const transport = relay.transport({ address: tabAddress("t1"), callTimeoutMs: 3000 });
  await transport.start(() => {});
  await relay.attached();
  assert.equal((await transport.client.status(server.address)).role, "follower");
  await assert.rejects(transport.client.propose(server.address, [new Uint8Array()]), { outcome: "rejected" });
  await relay.close();
  await server.close();
});

Deno.test("a node in a tab is added by a request to a server over HTTP", async () => {
  await using mixed = await Mixed.start(1);
  const relay = mixed.page();
  const transport = relay.transport({ address: tabAddress("t1") });
  const stateMachine = new Sessions(new KeyValue());
  const options = { id: "t1", address: transport.address, storage: new MemoryStorage(), stateMachine, ...TIMEOUTS };
  const node = mixed.closes(await RaftNode.start({ ...options, transport }));
  await relay.attached();
  const client = adminOf(mixed.first.address);
  const add = async (id: string, address: string) => {
    try {
      return (await client.addMember({ id, address, learner: true })).membership;
    } catch (error) {
      throw fromConnectError(error);
    }
  };
  // It does not answer PeerService.Identify.
  await assert.rejects(add("t1", "tab:t1"), { code: "refused" });
  const admin = {} as Parameters<typeof nodeMethods>[0]["admin"];
  transport.serve(nodeMethods({ node, admin, address: transport.address }));
  assert.deepEqual((await add("t1", "tab:t1"))?.learners, ["t1"]);
  await assert.rejects(add("t2", "tab:t1"), { code: "identity_mismatch" });
  await assert.rejects(add("t3", "tab:t3"), { code: "refused" });
});

Deno.test("a tab that leads is reached through the servers, and its errors arrive complete", async () => {
  await using mixed = await Mixed.start(2);
  const tab = await mixed.tabLeads();
  assert.equal((await mixed.get("/kv/a", { method: "PUT", body: "1" })).status, 201);
  assert.equal(await (await mixed.get("/kv/a")).text(), "1");
  assert.equal(tab.status().role, "leader");

  // A client that follows the leader itself can't connect to a tab.
  const endpoints = mixed.servers.map(({ address }) => address);
  await using coordinator = new Coordinator({ endpoints, transport: createConnectClientTransport() });
  const kv = new KeyValueClient(coordinator);
  await kv.put("b", "2");
  assert.equal(new TextDecoder().decode((await kv.get("b"))?.value), "2");

  const refused = await mixed.admin.promoteMember({ id: "nobody" }).catch(fromConnectError);
  assert.ok(refused instanceof RaftError);
  assert.equal(refused.code, "invalid_argument");
  assert.equal(refused.outcome, "rejected");
  assert.match(refused.message, /nobody is not a learner/);
  assert.equal((await mixed.admin.removeMember({ id: "n2" })).membership?.voters.length, 2);
});

Deno.test("a tab's clients call servers, and their services, by calls through the relay", async () => {
  await using mixed = await Mixed.start(3);
  const relay = mixed.page();
  const transport = mixed.closes(relay.transport({ address: tabAddress("client") }));
  await transport.start(() => {});
  await relay.attached({ signal: AbortSignal.timeout(20_000) });
  const endpoints = [mixed.first.address];
  const coordinator = new Coordinator({ endpoints, transport: transport.client });
  const kv = new KeyValueClient(coordinator);
  await kv.put("a", "1");
  assert.equal(new TextDecoder().decode((await kv.get("a"))?.value), "1");
  const status = await transport.client.status(mixed.first.address);
  assert.equal(status.id, "n1");
  await assert.rejects(transport.call(mixed.first.address, "raft.v1.Nothing/At", new Uint8Array()), {
    code: "unsupported",
    outcome: "rejected",
  });
  await assert.rejects(
    transport.call(mixed.first.address, "raft.v1.ClientService/Propose", new Uint8Array([255, 255])),
    { code: "invalid_argument" },
  );
});

Deno.test("calls to a node end when its page is gone", async () => {
  await using mixed = await Mixed.start(2);
  const relay = mixed.page();
  const transport = relay.transport({ address: tabAddress("deaf") });
  await transport.start(() => {});
  transport.serve(() => new Promise(() => {}));
  await relay.attached();
  await eventually("it is attached to the leader too", () => relay.servers.every(({ state }) => state === "attached"));
  const leader = mixed.servers.find((server) => server.status().role === "leader")!;
  const adding = adminOf(leader.address).addMember({ id: "deaf", address: "tab:deaf" })
    .catch(fromConnectError);
  await eventually("the call has come", async () => {
    const { counts } = transport;
    return counts.received > 0 && (await leader.running).lifecycle === "running";
  });
  await relay.close();
  const error = await adding;
  assert.ok(error instanceof RaftError);
  assert.equal(error.code, "refused");
});

Deno.test("a leading tab is closed: another node leads, and a client's write has an outcome", async () => {
  await using mixed = await Mixed.start(2);
  const tab = await mixed.tabLeads();
  const closing = tab.close();
  const put = await eventually("a write works again", async () => {
    const response = await mixed.get("/kv/a", { method: "PUT", body: "1" });
    await response.body?.cancel();
    return response.ok;
  });
  assert.ok(put);
  await closing;
  assert.notEqual(await mixed.leader(), "t1");
});

Deno.test("the commands of an operator know tabs, and work while one leads", async () => {
  await using mixed = await Mixed.start(2);
  const cluster = { endpoints: mixed.servers.map(({ address }) => address) };
  const tab = await mixed.tab("t1", {});
  assert.match((await raftCommand(cluster, ["member", "list"])).stdout, /t1 +tab:t1 +learner/);
  await eventually("it has caught up", () => tab.status().lastIndex === mixed.first.status().lastIndex);
  await raftCommand(cluster, ["member", "promote", "t1"]);
  await raftCommand(cluster, ["leader", "transfer", "t1"]);
  await eventually("the servers follow it", () => mixed.servers.every((one) => one.status().leader?.id === "t1"));

  await raftCommand(cluster, ["kv", "put", "a", "1"]);
  assert.equal((await raftCommand(cluster, ["kv", "get", "a"])).stdout.trim(), "1");
  const { stdout } = await raftCommand(cluster, ["status"]);
  assert.match(stdout, /leader t1 \(tab:t1\)/);
  assert.match(stdout, /t1 +tab:t1 +\\? .*in a browser tab, which only servers can reach/);
  await mixed.tab("t2", {});
  await raftCommand(cluster, ["member", "remove", "t2"]);
  const second = mixed.tab("t3", {});
  await raftCommand(cluster, ["member", "add", "t3", "tab:t3", "--learner"]);
  await second;
});

Deno.test("/metrics reports pages and relayed messages", async () => {
  await using mixed = await Mixed.start(1);
  await mixed.tab("t1", {});
  const text = await (await mixed.get("/metrics")).text();
  assert.match(text, /^raft_relay_pages 1$/m);
  assert.match(text, /^raft_relay_packets_total\{result="to_page"\} [1-9]/m);
  assert.match(text, /^raft_relay_packets_total\{result="to_server"\} [1-9]/m);
  assert.match(text, /^raft_relay_packets_total\{result="malformed"\} 0$/m);
});

Deno.test("only pages of allowed origins may attach and forward; preflights of others are refused", async () => {
  await using mixed = await Mixed.start(1, { allowOrigin: ["https://app.example"] });
  const preflight = (method: string, origin: string) =>
    mixed.get(`/raft.v1.RelayService/${method}`, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "connect-protocol-version,content-type",
      },
    });
  const call = (method: string, origin: string) =>
    mixed.get(`/raft.v1.RelayService/${method}`, {
      method: "POST",
      headers: { origin, "content-type": "application/proto", "connect-protocol-version": "1" },
      body: new Uint8Array(),
    });
  for (const method of ["Attach", "Announce", "Forward"]) {
    const allowed = await preflight(method, "https://app.example");
    assert.equal(allowed.status, 204);
    assert.equal(allowed.headers.get("access-control-allow-origin"), "https://app.example");
    assert.match(allowed.headers.get("access-control-allow-methods") ?? "", /POST/);
    assert.equal(allowed.headers.get("access-control-allow-headers"), "connect-protocol-version,content-type");
    assert.equal(allowed.headers.get("access-control-max-age"), "7200");

    const refused = await preflight(method, "https://another.example");
    assert.equal(refused.status, 403);
    assert.equal(refused.headers.get("access-control-allow-origin"), null);
    assert.equal((await refused.json()).code, "forbidden_origin");
    const called = await call(method, "https://another.example");
    assert.equal(called.status, 403);
    assert.equal((await called.json()).code, "forbidden_origin");
  }
  const forwarded = await call("Forward", "https://app.example");
  assert.equal(forwarded.headers.get("access-control-allow-origin"), "https://app.example");
  assert.equal(forwarded.status, 400);
  assert.match(await forwarded.text(), /no page of this name is attached/);
});

Deno.test("malformed messages are the page's fault, and the server continues", async () => {
  await using mixed = await Mixed.start(1);
  const path = "/raft.v1.RelayService/Forward";
  const headers = { "content-type": "application/proto" };
  const garbage = await mixed.get(path, { method: "POST", headers, body: new Uint8Array([255, 255, 255]) });
  assert.equal(garbage.status, 400);
  assert.match(await garbage.text(), /invalid_argument|no message/);

  const relay = mixed.page();
  const channel = relay.channel("tab:liar");
  await channel.start(() => {}, () => {});
  await relay.attached();
  for (const bytes of [[], [1, 2, 3], [255, 255], [10, 1]]) channel.send(mixed.first.address, new Uint8Array(bytes));
  await eventually("they are counted", async () => {
    return /^raft_relay_packets_total\{result="malformed"\} 4$/m.test(await (await mixed.get("/metrics")).text());
  });
  assert.equal((await mixed.get("/kv/a", { method: "PUT", body: "1" })).status, 201);
});
