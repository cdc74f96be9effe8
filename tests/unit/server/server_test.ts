import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { Coordinator } from "../../../lib/client/coordinator.ts";
import type { StateMachine } from "../../../lib/state_machine.ts";
import type { Server, ServerOptions } from "../../../server/server.ts";
import { startServer } from "../../../server/server.ts";
import { MemoryStorage } from "../../../storage/memory.ts";
import { createConnectClientTransport } from "../../../transport/connect/mod.ts";
import { eventually, freePort } from "../../support/server_processes.ts";

const quiet = { info() {}, warn() {}, error() {} };

async function start(options: Partial<ServerOptions> = {}): Promise<Server> {
  return await startServer({
    id: "n1",
    data: "memory",
    storage: new MemoryStorage(),
    peers: [{ id: "n1", address: "http://127.0.0.1:1" }],
    listen: { hostname: "127.0.0.1", port: 0 },
    electionTimeoutMs: 100,
    heartbeatIntervalMs: 20,
    logger: quiet,
    ...options,
  });
}

const get = (server: Server, path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init);

Deno.test("a node stopped by its storage reports the reason for a while, then the server ends with exit code 5", async () => {
  const storage = new MemoryStorage();
  const logged: string[] = [];
  const error = (line: string) => void logged.push(line);
  const server = await start({ storage, stoppedLingerMs: 300, logger: { ...quiet, error } });
  await eventually("it leads", () => server.status().role === "leader");
  storage.failNextPersist("in_doubt");
  const put = await get(server, "/kv/a", { method: "PUT", body: "1" });
  assert.equal(put.status, 503);
  assert.equal(typeof (await put.json()).outcome, "string");

  const status = await eventually("it says why", async () => {
    const response = await get(server, "/status");
    const body = await response.json();
    return response.status === 503 ? body : null;
  });
  assert.equal(status.lifecycle, "stopped");
  assert.equal(status.storage.healthy, false);
  assert.equal(typeof status.storage.error, "string");
  assert.equal(typeof status.reason, "string");
  assert.equal((await get(server, "/livez")).status, 503);
  assert.equal((await get(server, "/metrics")).status, 200);

  const end = await server.ended;
  assert.equal(end.exitCode, 5);
  assert.ok(end.error !== undefined);
  assert.ok(logged.some((line) => line.startsWith("Stopped: ")), logged.join("\n"));
  await assert.rejects(get(server, "/status"));
});

Deno.test("while its peers are missing, a server answers and names them", async () => {
  await using server = await start({
    peers: [{ id: "n1", address: "http://127.0.0.1:1" }, { id: "n2", address: "http://127.0.0.1:2" }],
  });
  const status = await eventually("it knows which node is missing", async () => {
    const body = await (await get(server, "/status")).json();
    return body.reason?.includes("n2") ? body : null;
  });
  assert.equal(status.role, "follower");
  assert.equal(status.leader, null);
  assert.equal((await get(server, "/livez")).status, 200);
  assert.equal((await get(server, "/readyz")).status, 503);
});

Deno.test("closing ends a server that waits for its peers", async () => {
  const server = await start({
    peers: [{ id: "n1", address: "http://127.0.0.1:1" }, { id: "n2", address: "http://127.0.0.1:2" }],
  });
  await server.close();
  assert.deepEqual(await server.ended, { exitCode: 0 });
  await assert.rejects(server.running);
});

Deno.test("an empty folder, and no option that says how to begin", async () => {
  const { peers: _, ...options } = { peers: [], id: "n1", data: "memory", storage: new MemoryStorage(), logger: quiet };
  await assert.rejects(startServer(options), { code: "invalid_argument", hint: /--peers.*--join/ });
});

const hasIpv6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === "::1");

Deno.test({ name: "the log names an IPv6 address as a URL", ignore: !hasIpv6 }, async () => {
  const logged: string[] = [];
  const info = (line: string) => void logged.push(line);
  const server = await start({ listen: { hostname: "::1", port: 0 }, logger: { ...quiet, info } });
  await server.close();
  assert.equal(logged[0], `Listening on http://[::1]:${server.port}`);
});

Deno.test("listening on a public address without protection logs a warning", async () => {
  const warned: string[] = [];
  const warn = (line: string) => void warned.push(line);
  const server = await start({ listen: { hostname: "0.0.0.0", port: 0 }, logger: { ...quiet, warn } });
  await server.close();
  assert.equal(warned.filter((line) => line.includes("no protection")).length, 1);
});

Deno.test("another state machine is served to clients, without /kv", async () => {
  const count = { total: 0 };
  const answer = () => new Uint8Array([count.total]);
  const stateMachine: StateMachine = {
    apply: () => (count.total++, answer()),
    query: answer,
    async *snapshot() {
      yield answer();
    },
    restore: () => Promise.resolve(),
  };
  const port = await freePort();
  await using server = await start({
    stateMachine,
    peers: [{ id: "n1", address: `http://127.0.0.1:${port}` }],
    listen: { hostname: "127.0.0.1", port },
  });
  const node = await server.running;
  await node.leadership();
  await using client = new Coordinator({ endpoints: [server.address], transport: createConnectClientTransport() });
  assert.deepEqual((await client.propose(new Uint8Array())).result, new Uint8Array([1]));
  assert.equal((await get(server, "/kv/a")).status, 404);
  assert.equal((await get(server, "/raft.v1.KeyValueService/Get", { method: "POST", body: "{}" })).status, 404);
  assert.equal((await get(server, "/readyz")).status, 200);
});

Deno.test("without --listen it listens on its entry in --peers, if that is a loopback address", async () => {
  const port = await freePort();
  await using server = await startServer({
    id: "n1",
    data: "memory",
    storage: new MemoryStorage(),
    peers: [{ id: "n1", address: `http://127.0.0.1:${port}` }],
    logger: quiet,
  });
  assert.equal(server.port, port);
});
