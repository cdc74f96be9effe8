/**
 * Bad input over real sockets: each request gets a typed error, and the node
 * continues.
 */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { VALUE_MAX_BYTES } from "../../../lib/kv/commands.ts";
import { PROTOCOL_VERSION } from "../../../lib/transport.ts";
import { startServer } from "../../../server/server.ts";
import type { Server } from "../../../server/server.ts";
import { MemoryStorage } from "../../../storage/memory.ts";
import { eventually } from "../../support/server_processes.ts";

const quiet = { info() {}, warn() {}, error() {} };

/** Starts a server that leads a cluster of its own. */
async function start(): Promise<Server> {
  const port = { hostname: "127.0.0.1", port: 0 };
  const server = await startServer({
    id: "n1",
    data: "memory",
    storage: new MemoryStorage(),
    listen: port,
    peers: [{ id: "n1", address: "http://127.0.0.1:1" }],
    electionTimeoutMs: 100,
    heartbeatIntervalMs: 20,
    requestTimeoutMs: 1000,
    logger: quiet,
  });
  await server.running;
  await eventually("it leads", () => server.status().role === "leader");
  return server;
}

const url = (server: Server, path: string) => `http://127.0.0.1:${server.port}${path}`;

/** Asserts that the node still serves requests, in the same term as before. */
async function goesOn(server: Server, term: number): Promise<void> {
  const put = await fetch(url(server, "/kv/alive"), { method: "PUT", body: "yes" });
  assert.ok(put.ok, `status ${put.status}`);
  await put.body?.cancel();
  assert.equal(await (await fetch(url(server, "/kv/alive"))).text(), "yes");
  const status = server.status();
  assert.equal(status.lifecycle, "running");
  assert.equal(status.term, term);
}

async function refused(response: Response, status: number, code: string): Promise<void> {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.equal(JSON.parse(text).code, code);
}

Deno.test("values: empty, at the limit, over it, and over it by far", async () => {
  await using server = await start();
  const { term } = server.status();
  const put = (body: BodyInit) => fetch(url(server, "/kv/value"), { method: "PUT", body });
  const size = async () => (await (await fetch(url(server, "/kv/value"))).bytes()).length;

  assert.equal((await put("")).status, 201);
  assert.equal(await size(), 0);
  assert.equal((await put(new Uint8Array(VALUE_MAX_BYTES).fill(7))).status, 200);
  assert.equal(await size(), VALUE_MAX_BYTES);
  await refused(await put(new Uint8Array(VALUE_MAX_BYTES + 1)), 413, "too_large");
  assert.equal(await size(), VALUE_MAX_BYTES);
  // A server that refuses early may close before the client has sent all; both are right.
  await put(new Uint8Array(64 * 1024 * 1024)).then((response) => refused(response, 413, "too_large"), () => {});
  assert.equal(await size(), VALUE_MAX_BYTES);
  await goesOn(server, term);
});

Deno.test("keys: odd bytes, empty, too long, badly encoded", async () => {
  await using server = await start();
  const { term } = server.status();
  for (const key of ["%00", "%FF%FE", "%2F", "%0D%0A", "a%2Fb", "%25", "%F0%9F%98%80", "x".repeat(1024)]) {
    const put = await fetch(url(server, `/kv/${key}`), { method: "PUT", body: key });
    assert.equal(put.status, 201, key);
    await put.body?.cancel();
    assert.equal(await (await fetch(url(server, `/kv/${key}`))).text(), key);
  }
  for (const method of ["PUT", "GET", "DELETE"]) {
    const body = method === "PUT" ? "x" : null;
    await refused(await fetch(url(server, "/kv/"), { method, body }), 400, "invalid_argument");
    await refused(await fetch(url(server, "/kv/%zz"), { method, body }), 400, "invalid_argument");
    await refused(await fetch(url(server, `/kv/${"x".repeat(1025)}`), { method, body }), 413, "too_large");
  }
  await goesOn(server, term);
});

/** Sends a request whose path no client library normalizes; returns the raw answer. */
function rawRequest(server: Server, method: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: server.port });
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk) => text += chunk).on("error", reject).on(
      "close",
      () => resolve(text),
    );
    socket.write(`${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  });
}

Deno.test("paths with dots are not keys: nothing is written under another name", async () => {
  await using server = await start();
  const { term } = server.status();
  for (const path of ["/kv/../status", "/kv/..", "/kv/%2e%2e/x", "/kv/a/../../kvstore/x"]) {
    for (const method of ["PUT", "DELETE", "GET"]) {
      assert.match(await rawRequest(server, method, path), /^HTTP\/1\.1 40[04] /, `${method} ${path}`);
    }
  }
  const { entries } = await (await fetch(url(server, "/kv"))).json();
  assert.deepEqual(entries, []);
  await goesOn(server, term);
});

Deno.test("HEAD returns the length of the value, and no body", async () => {
  await using server = await start();
  await (await fetch(url(server, "/kv/value"), { method: "PUT", body: "hello" })).body?.cancel();
  const answer = await rawRequest(server, "HEAD", "/kv/value");
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.match(answer, /\r\ncontent-length: 5\r\n/i);
  assert.ok(answer.endsWith("\r\n\r\n"), answer);
});

Deno.test("unknown paths, methods and services", async () => {
  await using server = await start();
  const { term } = server.status();
  for (
    const path of ["/", "/nothing", "/kvx", "/status/x", "/%00", "/raft.v1.NoService/No", "/raft.v1.AdminService/No"]
  ) {
    await refused(await fetch(url(server, path)), 404, "not_found");
  }
  await refused(await fetch(url(server, "/status"), { method: "DELETE" }), 405, "method_not_allowed");
  const wrongType = await fetch(url(server, "/raft.v1.KeyValueService/Get"), {
    method: "POST",
    headers: { "content-type": "text/plain" },
    body: "{}",
  });
  assert.equal(wrongType.status, 415);
  await wrongType.body?.cancel();
  await goesOn(server, term);
});

/** Makes a Connect call in JSON. */
async function call(
  server: Server,
  method: string,
  body: unknown,
): Promise<{ status: number; answer: Record<string, unknown> }> {
  const response = await fetch(url(server, `/raft.v1.${method}`), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, answer: await response.json() };
}

/** Returns the code in the detail of the library's errors. */
function detailCode(answer: Record<string, unknown>): unknown {
  const [detail] = answer["details"] as { debug?: { code?: unknown }; value?: string }[] ?? [];
  if (detail?.debug?.code !== undefined) return detail.debug.code;
  return detail?.value === undefined ? undefined : /^..([a-z_]+)/.exec(atob(detail.value))?.[1];
}

Deno.test("malformed JSON and protobuf", async () => {
  await using server = await start();
  const { term } = server.status();
  for (const body of ["", "{", "[]", "null", '{"key": 1}', '{"key": "not base64!"}', '{"unknown": 1}', '{"key": {}}']) {
    const { status, answer } = await call(server, "KeyValueService/Get", body);
    assert.ok(status >= 400 && status < 500, `${body}: ${status}`);
    assert.equal(typeof answer["code"], "string", body);
  }
  for (
    const service of ["KeyValueService/Get", "AdminService/AddMember", "ClientService/Propose", "PeerService/Send"]
  ) {
    for (const bytes of [[0xff], [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x0a, 0x05, 1], new Array(64).fill(0x0a)]) {
      const response = await fetch(url(server, `/raft.v1.${service}`), {
        method: "POST",
        headers: { "content-type": "application/proto" },
        body: new Uint8Array(bytes),
      });
      const text = await response.text();
      assert.ok(response.status >= 400 && response.status < 500, `${service} ${bytes}: ${response.status} ${text}`);
      assert.equal(typeof JSON.parse(text).code, "string");
    }
  }
  await goesOn(server, term);
});

Deno.test("garbage for commands and queries is refused", async () => {
  await using server = await start();
  const { term } = server.status();
  for (const bytes of ["", "/w==", "AAAA", "AQI=", btoa("x".repeat(1000))]) {
    const proposed = await call(server, "ClientService/Propose", { commands: [bytes] });
    assert.equal(proposed.status, 200, JSON.stringify(proposed.answer));
    const queried = await call(server, "ClientService/Read", { query: bytes });
    assert.ok(queried.status === 200 || queried.status === 400, String(queried.status));
  }
  const many = await call(server, "ClientService/Propose", { commands: new Array(5000).fill("") });
  assert.equal(detailCode(many.answer), "too_large");
  await goesOn(server, term);
});

const LIMITS = ["9007199254740992", "18446744073709551615"];

Deno.test("numbers at 2^53 and 2^64 − 1, from clients", async () => {
  await using server = await start();
  const { term } = server.status();
  for (const number of LIMITS) {
    for (
      const [method, body] of [
        ["KeyValueService/Delete", { key: "YQ==", ifVersion: number }],
        ["KeyValueService/CompareAndSet", { key: "YQ==", ifVersion: number }],
      ] as const
    ) {
      const { status, answer } = await call(server, method, body);
      assert.equal(status, 400, method);
      assert.equal(detailCode(answer), "invalid_argument");
    }
    await refused(await fetch(url(server, `/kv?watch&from=${number}`)), 400, "invalid_argument");
    await refused(await fetch(url(server, `/kv?limit=${number}`)), 400, "invalid_argument");
    const matched = await fetch(url(server, "/kv/a"), {
      method: "PUT",
      headers: { "if-match": `"${number}"` },
      body: "x",
    });
    await refused(matched, 400, "invalid_argument");
  }
  const { status } = await call(server, "KeyValueService/Delete", { key: "YQ==", ifVersion: "18446744073709551616" });
  assert.equal(status, 400);
  await goesOn(server, term);
});

Deno.test("numbers at 2^53 and 2^64 − 1, from nodes", async () => {
  await using server = await start();
  const { term, clusterId, incarnation, lastIndex } = server.status();
  const envelope = (message: Record<string, unknown>) => ({
    protocolVersion: PROTOCOL_VERSION,
    clusterId,
    from: "n2",
    fromIncarnation: "i2",
    to: "n1",
    toIncarnation: incarnation,
    ...message,
  });
  for (const number of LIMITS) {
    for (
      const message of [
        { requestVote: { term: number, lastLogIndex: 1, lastLogTerm: 1 } },
        { requestVote: { term: 1, lastLogIndex: number, lastLogTerm: number } },
        { requestVoteResponse: { term: number, voteGranted: true } },
        { appendEntries: { term: number } },
        { appendEntries: { term, prevLogIndex: number, prevLogTerm: 1, leaderCommit: 1 } },
        { appendEntries: { term, leaderCommit: number } },
        { appendEntries: { term, entries: [{ index: number, term: number, type: "ENTRY_TYPE_COMMAND" }] } },
        { appendEntriesResponse: { term, success: true, matchIndex: number } },
        { installSnapshot: { term, offset: number, snapshot: { id: "s", index: number, term: number, size: number } } },
        { installSnapshotResponse: { term, snapshotId: "s", offset: number, matchIndex: number } },
        { timeoutNow: { term: number } },
      ]
    ) {
      const { status, answer } = await call(server, "PeerService/Send", { envelopes: [envelope(message)] });
      assert.equal(status, 400, JSON.stringify(message));
      assert.equal(detailCode(answer), "invalid_argument");
    }
  }
  assert.equal(server.status().lastIndex, lastIndex);
  await goesOn(server, term);
});

Deno.test("messages for another cluster, node or incarnation, or of another protocol, change nothing", async () => {
  await using server = await start();
  const { term, clusterId, incarnation, lastIndex } = server.status();
  const right = {
    protocolVersion: PROTOCOL_VERSION,
    clusterId,
    from: "n2",
    fromIncarnation: "i2",
    to: "n1",
    toIncarnation: incarnation,
  };
  for (
    const wrong of [
      { clusterId: "other" },
      { clusterId: "" },
      { to: "n9" },
      { toIncarnation: "another" },
      { protocolVersion: PROTOCOL_VERSION + 1 },
      { protocolVersion: 0 },
      { from: "n1" },
    ]
  ) {
    for (
      const message of [
        { appendEntries: { term: 99, prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 0, entries: [] } },
        { requestVote: { term: 99, lastLogIndex: 99, lastLogTerm: 99, leadershipTransfer: true } },
        { timeoutNow: { term: 99 } },
      ]
    ) {
      const { status, answer } = await call(server, "PeerService/Send", {
        envelopes: [{ ...right, ...wrong, ...message }],
      });
      assert.equal(status, 400, `${JSON.stringify(wrong)}: ${status}`);
      assert.match(String(answer["message"]), /the message is refused: |protocolVersion/, JSON.stringify(answer));
    }
  }
  await goesOn(server, term);
  assert.ok(server.status().lastIndex > lastIndex);
});

Deno.test("invalid membership changes", async () => {
  await using server = await start();
  const { term } = server.status();
  for (
    const [method, body, code] of [
      ["AddMember", {}, "invalid_argument"],
      ["AddMember", { id: "n2" }, "invalid_argument"],
      ["AddMember", { id: "n2", address: "no address at all" }, "invalid_argument"],
      ["AddMember", { id: "n2", address: "127.0.0.1:1" }, "refused"],
      ["AddMember", { id: "n1", address: `127.0.0.1:${server.port}x` }, "invalid_argument"],
      ["AddMember", { id: "n9", address: `127.0.0.1:${server.port}` }, "identity_mismatch"],
      ["RemoveMember", { id: "n1" }, "refused"],
      ["RemoveMember", { id: "n9" }, "invalid_argument"],
      ["PromoteMember", { id: "n9" }, "invalid_argument"],
      ["ChangeMembership", {}, "refused"],
      ["ChangeMembership", { voters: [{ id: "" }] }, "invalid_argument"],
      ["TransferLeadership", { to: "n9" }, "invalid_argument"],
    ] as const
  ) {
    const { status, answer } = await call(server, `AdminService/${method}`, body);
    assert.ok(status >= 400, `${method} ${JSON.stringify(body)}`);
    assert.equal(detailCode(answer), code, `${method} ${JSON.stringify(body)}: ${JSON.stringify(answer)}`);
  }
  await goesOn(server, term);
});

Deno.test("bytes that are not HTTP, headers that never end, silent connections", async () => {
  await using server = await start();
  const { term } = server.status();
  const send = (bytes: string | Uint8Array) =>
    new Promise<void>((resolve) => {
      const socket = connect(server.port, "127.0.0.1", () => socket.write(bytes, () => socket.end()));
      socket.on("error", () => {}).on("close", () => resolve()).resume();
    });
  await send("");
  await send(new Uint8Array(1000).fill(0xff));
  await send("GET /status HTTP/9.9\r\n\r\n");
  await send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\0".repeat(100));
  await send("PRI");
  await send(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"y".repeat(1 << 20)}\r\n\r\n`);
  await send("PUT /kv/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nfour");
  await goesOn(server, term);
});
