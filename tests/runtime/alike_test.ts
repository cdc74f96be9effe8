/**
 * The same requests, byte by byte, to a server in each runtime: all answer alike.
 */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { runtimes } from "../../tools/runtimes.ts";
import { eventually, Nodes } from "../support/server_processes.ts";

/** A request by its lines, without Host; its body; and the status expected. */
interface Case {
  readonly lines: readonly string[];
  readonly body?: string;
  readonly status: number;
  /** The Host headers. @default the server's own */
  readonly hosts?: readonly string[];
}

const get = (target: string, status: number): Case => ({ lines: [`GET ${target} HTTP/1.1`], status });
const put = (target: string, status: number, ...headers: string[]): Case => ({
  lines: [`PUT ${target} HTTP/1.1`, "content-length: 1", ...headers],
  body: "x",
  status,
});
const host = (status: number, ...hosts: string[]): Case => ({ lines: ["GET /livez HTTP/1.1"], hosts, status });
const method = (name: string, target: string, status: number): Case => ({
  lines: [`${name} ${target} HTTP/1.1`, "content-length: 0"],
  status,
});
const header = (status: number, ...lines: string[]): Case => ({ lines: ["GET /livez HTTP/1.1", ...lines], status });
const call = (name: string, status: number, body: string, ...headers: string[]): Case => ({
  lines: [`POST /raft.v1.${name} HTTP/1.1`, `content-length: ${body.length}`, ...headers],
  body,
  status,
});
const JSON_TYPE = "content-type: application/json";
const PAGE = "origin: http://page.example";

const CASES: readonly Case[] = [
  // Another program would read another path.
  ...[
    "/kv/a/./b",
    "/kv/x/../a/b",
    "/kv/../status",
    "/kv/%2e%2e/status",
    "/kv/a/%2E/b",
    "/kv/a/.",
    "/kv/a/..",
    "/../kv/a",
  ]
    .flatMap((path) => [get(path, 400), put(path, 400)]),
  ...["/kv/a\\b", "/kv/\\..\\status", "/kv/a#b", "/kv?prefix=a#b"].flatMap((path) => [get(path, 400), put(path, 400)]),
  ...["/kv/a b", "/kv/a\tb", "/kv/\xe4", "/kv/\x7f", "/kv/a\0b", "status", "*"].map((path) => get(path, 400)),
  get("http://evil.example/status", 400),
  // Odd, but clear.
  ...["/kv/..;/status", "/kv//a", "/kv/%5c", "/kv/%00", "/kv/%2F", '/kv/a|^`{}"<>'].map((path) => get(path, 404)),
  ...["//status", "/status/", "/STATUS", "/a/raft.v1.ClientService/Status"].map((path) => get(path, 404)),
  ...["/kv/", "/kv/a%zz", "/kv/a?x=1", "/kv?prefix=a%zz", "/kv/a?consistency=stale&consistency=lease"].map((path) =>
    get(path, 400)
  ),
  get("/kv?prefix=a\\b", 200),
  get("/kv?prefix=%ff", 200),
  get(`/kv/${"a".repeat(9000)}`, 413),
  get(`/kv/${"a".repeat(70_000)}`, 400),
  // The Host.
  ...["a b", "[::1", "a/b", "127.0.0.1:99999", "user@127.0.0.1", "127.0.0.1:abc", "127.0.0.1\\x", "%6cocalhost", ""]
    .map((name) => host(403, name)),
  ...["\xe4", "a<b", "a|b", "1.2.3.999", "1.2.3.4.5", "xn--", "xn--a"].map((name) => host(403, name)),
  host(403, "evil.example"),
  host(403, "127.1"),
  host(400, "localhost", "evil.example"),
  host(200, "LOCALHOST"),
  host(200, "localhost."),
  host(200, "[::1]:80"),
  host(200, "[0:0:0:0:0:0:0:1]"),
  host(200, "[::FFFF:127.0.0.1]:7001"),
  host(200),
  // Methods and bodies.
  ...["FOO", "get", "CONNECT"].map((name) => method(name, "/kv/x", 400)),
  ...["PATCH", "TRACE", "POST"].map((name) => method(name, "/kv/x", 405)),
  method("POST", "/status", 405),
  method("HEAD", "/livez", 200),
  method("HEAD", "/kv/nothing", 404),
  method("OPTIONS", "*", 204),
  method("OPTIONS", "/kv/x", 204),
  ...["abc", "-1"].map((length): Case => ({ lines: ["PUT /kv/e HTTP/1.1", `content-length: ${length}`], status: 400 })),
  put("/kv/e", 400, "content-length: 2"),
  put("/kv/e", 400, "transfer-encoding: chunked"),
  { lines: ["PUT /kv/e HTTP/1.1", "content-length: 2000000"], status: 413 },
  { lines: ["DELETE /kv/nothing HTTP/1.1", "content-length: 3"], body: "abc", status: 404 },
  put("/kv/expected", 200, "expect: nonsense"),
  // Headers.
  header(400, "x y: 1"),
  header(400, "x: a\x01b"),
  header(400, "x: a", " b"),
  header(200, `x: ${"a".repeat(20_000)}`),
  header(400, `x: ${"a".repeat(70_000)}`),
  header(400, ...Array.from({ length: 150 }, (_, at) => `x${at}: 1`)),
  header(200, "connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAARAAAAAAAIAAAAA"),
  { lines: ["garbage"], status: 400 },
  { lines: ["GET / HTTP/2.0"], status: 400 },
  // Pages.
  header(403, "origin: null"),
  header(403, "origin: http://evil.example"),
  header(403, "sec-fetch-site: cross-site"),
  header(403, "sec-fetch-site: same-site"),
  header(200, "sec-fetch-site: same-origin"),
  header(200, PAGE),
  call("AdminService/RemoveMember", 403, "{}", JSON_TYPE, PAGE),
  call("PeerService/Identify", 403, "{}", JSON_TYPE, PAGE),
  // Services.
  call("ClientService/Status", 415, "{}", "content-type: text/plain"),
  call("ClientService/Status", 400, "{x", JSON_TYPE),
  call("ClientService/Nope", 404, "{}", JSON_TYPE),
  get("/raft.v1.ClientService/Status", 405),
];

/** Sends bytes, and returns the answer as soon as it is whole. */
function exchange(address: string, bytes: Uint8Array, isHead: boolean): Promise<string> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    const finish = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.on("data", (data) => {
      text += data.toString("latin1");
      const at = text.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (at >= 0 && (isHead || text.length >= at + 4 + length)) finish();
    });
    // A server that refuses what it has not read resets the connection, possibly after its answer.
    socket.on("error", (error) => text === "" ? reject(error) : finish());
    socket.on("close", finish);
    socket.write(bytes);
  });
}

/** Returns what has to be alike of an answer. */
function essence(answer: string, address: string): string {
  const [head = "", ...body] = answer.replaceAll(new URL(address).port, "PORT").split("\r\n\r\n");
  const [status, ...headers] = head.split("\r\n").map((line) => line.toLowerCase());
  const kept = headers.filter((line) => !/^(date|connection|keep-alive|vary):/.test(line)).sort();
  return [status?.split(" ")[1], ...kept, body.join("\r\n\r\n")].join("\n");
}

Deno.test("requests are answered alike in Deno, Node and Bun", async () => {
  const { deno, node, bun } = await runtimes();
  const server = new URL("../../server/main.ts", import.meta.url).pathname;
  const commands = [[deno, "run", "--no-check", "--allow-all", server], [node, server], [bun, server]];
  await Nodes.run(commands, async (nodes) => {
    await nodes.leader();
    for (const each of nodes.all) await eventually(`${each.id} serves`, async () => (await each.status()) !== null);
    await nodes.all[0]!.put("expected", "x");
    for (const { lines, body = "", status, hosts } of CASES) {
      const answers = [];
      for (const { address } of nodes.all) {
        const head = [...lines, ...(hosts ?? [new URL(address).host]).map((name) => `host: ${name}`)];
        const bytes = Uint8Array.from([...head, "", body].join("\r\n"), (character) => character.charCodeAt(0));
        const answer = await exchange(address, bytes, lines[0]!.startsWith("HEAD "));
        answers.push(
          essence(answer, address).replaceAll(/etag: "\d+"|raft-revision: \d+|"(version|previousVersion)":\d+/g, ""),
        );
      }
      const request = [...lines, ...hosts ?? []].join(" | ").slice(0, 200);
      assert.equal(answers[0]?.slice(0, 3), String(status), `${request}: ${answers[0]}`);
      for (const answer of answers) assert.equal(answer, answers[0], request);
    }
    assert.deepEqual(
      await (await fetch(`${nodes.all[0]?.address}/kv?keys`)).json().then(({ entries }) => entries.length),
      1,
    );
  }, ["--allow-origin", "http://page.example"]);
});
