/** The command line against real servers, in this process and as a process of its own. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { run } from "../../server/cli/run.ts";
import { systemServices } from "../../server/cli/services.ts";
import { urlHost } from "../../server/addresses.ts";
import { startServer } from "../../server/server.ts";
import type { Server } from "../../server/server.ts";
import { freePort } from "../support/server_processes.ts";
import type { Suite } from "./portable.ts";

const quiet = { info() {}, warn() {}, error() {} };

/** Servers n1, n2, …, of which the first `voters` form a cluster and the others wait to be added. */
interface Cluster {
  readonly servers: readonly Server[];
  readonly folder: string;
  /** The value of `--server`. */
  readonly hosts: string;
}

async function withCluster(
  voters: number,
  joining: number,
  test: (cluster: Cluster) => Promise<void>,
  hostname = "127.0.0.1",
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "raft-command-line-"));
  const ports = await Promise.all(Array.from({ length: voters + joining }, freePort));
  const peers = ports.slice(0, voters).map((port, at) => ({
    id: `n${at + 1}`,
    address: `http://${urlHost(hostname)}:${port}`,
  }));
  const servers: Server[] = [];
  try {
    for (const [at, port] of ports.entries()) {
      servers.push(
        await startServer({
          id: `n${at + 1}`,
          data: join(folder, `n${at + 1}`),
          listen: { hostname, port },
          ...(at < voters ? { peers } : { join: true }),
          logger: quiet,
        }),
      );
    }
    await Promise.all(servers.map((server) => server.running));
    await test({ servers, folder, hosts: peers.map(({ address }) => new URL(address).host).join(",") });
  } finally {
    await Promise.all(servers.map((server) => server.close()));
    await rm(folder, { recursive: true, force: true });
  }
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function cli(args: readonly string[], signal: AbortSignal = new AbortController().signal): Promise<Ran> {
  let out = "";
  let err = "";
  const decoder = new TextDecoder();
  const text = (data: string | Uint8Array): string => typeof data === "string" ? data : decoder.decode(data);
  const code = await run(args, {
    stdout: { isTerminal: false, write: (data) => Promise.resolve(void (out += text(data))) },
    stderr: { isTerminal: false, write: (data) => Promise.resolve(void (err += text(data))) },
    stdin: { isTerminal: false, read: () => (async function* () {})() },
    env: {},
    signal,
  }, systemServices);
  return { code, out, err };
}

/** Runs a command that must succeed; returns its document. */
async function json(args: readonly string[]): Promise<Record<string, unknown>> {
  const ran = await cli([...args, "--json"]);
  assert.equal(ran.code, 0, `${args.join(" ")}: ${ran.err}`);
  return JSON.parse(ran.out);
}

async function keysAndValues({ hosts }: Cluster): Promise<void> {
  const server = ["--server", hosts, "--timeout-ms", "20000"];
  // The first write waits for the first election.
  const first = await json(["kv", "put", "colour", "green", ...server]);
  assert.equal(first["previousVersion"], 0);
  assert.deepEqual(await cli(["kv", "get", "colour", ...server]), { code: 0, out: "green", err: "" });
  assert.equal((await cli(["kv", "get", "other", ...server])).code, 1);

  const version = String(first["version"]);
  const second = await json(["kv", "put", "colour", "blue", "--if-version", version, ...server]);
  assert.equal(second["previousVersion"], first["version"]);
  assert.equal((await cli(["kv", "put", "colour", "red", "--if-version", version, ...server])).code, 6);
  assert.equal((await cli(["kv", "put", "colour", "red", "--if-absent", ...server])).code, 6);
  assert.equal((await json(["kv", "put", "user/1", "ann", "--if-absent", ...server]))["previousVersion"], 0);

  const { entries, more } = await json(["kv", "list", ...server]) as { entries: { key: string }[]; more: boolean };
  assert.deepEqual([entries.map(({ key }) => key), more], [["colour", "user/1"], false]);
  assert.equal((await json(["kv", "delete", "user/1", ...server]))["deleted"], true);
  assert.equal((await json(["kv", "delete", "user/1", ...server]))["deleted"], false);

  const watched = await cli(["kv", "watch", "user/", "--from", "1", "--count", "2", "--json", ...server]);
  const types = watched.out.trim().split("\n").map((line) => (JSON.parse(line) as { type: string }).type);
  assert.deepEqual([watched.code, types], [0, ["put", "delete"]]);
}

/** Retries a promotion: a learner that lacks much of the log is refused, as in etcd, until it has caught up. */
async function promoted(id: string, server: readonly string[]): Promise<void> {
  for (const end = Date.now() + 30_000;;) {
    const ran = await cli(["member", "promote", id, "--json", ...server]);
    if (ran.code === 0) return assert.equal(JSON.parse(ran.out).now, "voter");
    assert.deepEqual([ran.code, JSON.parse(ran.err).error.code], [6, "not_ready"], ran.err);
    assert.ok(Date.now() < end, ran.err);
  }
}

async function membersAndLeadership({ hosts, servers }: Cluster): Promise<void> {
  const server = ["--server", hosts, "--timeout-ms", "20000"];
  const address = new URL((servers.at(-1) as Server).address).host;
  assert.equal((await cli(["member", "add", "n9", address, ...server])).code, 6);
  assert.equal((await json(["member", "add", "n4", address, "--learner", ...server]))["now"], "learner");
  await promoted("n4", server);
  assert.equal((await json(["member", "add", "n4", address, ...server]))["changed"], false);

  assert.equal((await json(["leader", "transfer", "n4", ...server]))["leader"], "n4");
  // n4 is in none of the flags: the client must have discovered it.
  assert.equal((await cli(["kv", "get", "colour", ...server])).out, "blue");
  const { leader, nodes } = await json(["status", ...server]) as { leader: { id: string }; nodes: { id: string }[] };
  assert.deepEqual([leader.id, nodes.map(({ id }) => id)], ["n4", ["n1", "n2", "n3", "n4"]]);

  assert.equal((await json(["member", "remove", "n4", ...server]))["now"], null);
  const { members } = await json(["member", "list", ...server]) as { members: { id: string; suffrage: string }[] };
  assert.deepEqual(members.map(({ id, suffrage }) => `${id} ${suffrage}`), ["n1 voter", "n2 voter", "n3 voter"]);
  assert.equal((await cli(["member", "remove", "n4", ...server])).code, 1);
}

async function theLog({ hosts, folder }: Cluster): Promise<void> {
  const taken = await json(["snapshot", "take", "n1", "--server", hosts]);
  const report = await json(["log", "verify", join(folder, "n1")]) as { nodeId: string; snapshot: { index: number } };
  assert.deepEqual([report.nodeId, report.snapshot.index], ["n1", taken["index"]]);
  const dumped = await cli(["log", "dump", join(folder, "n2"), "--json"]);
  assert.equal(dumped.code, 0);
  const requests = dumped.out.trim().split("\n").map((line) => JSON.parse(line) as { request?: string; key?: string });
  assert.ok(requests.some(({ request, key }) => request === "put" && key === "colour"));
}

/** Returns the command that starts the program in this runtime. */
function program(args: readonly string[]): [string, string[]] {
  const main = fileURLToPath(new URL("../../server/cli/main.ts", import.meta.url));
  const flags = "Deno" in globalThis ? ["run", "--allow-all", "--no-check"] : [];
  return [process.execPath, [...flags, main, ...args]];
}

/** A run as a process. */
interface Process {
  readonly ended: Promise<{ readonly code: number | null; readonly out: Uint8Array; readonly err: string }>;
  /** Resolves once something was printed. */
  readonly printed: Promise<void>;
  interrupt(): void;
  closeOutput(): void;
}

function start(args: readonly string[], stdin?: Uint8Array): Process {
  const child = spawn(...program(args), { stdio: ["pipe", "pipe", "pipe"] });
  const chunks: Uint8Array[] = [];
  let err = "";
  child.stderr.on("data", (chunk) => err += chunk);
  const printed = new Promise<void>((resolve) =>
    child.stdout.on("data", (chunk) => {
      chunks.push(chunk);
      resolve();
    })
  );
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  const ended = new Promise<Awaited<Process["ended"]>>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out: Buffer.concat(chunks), err }));
  });
  return {
    ended,
    printed, // Not child.kill: Deno then reports the signal instead of the exit code.
    interrupt: () => void process.kill(child.pid as number, "SIGINT"),
    closeOutput: () => child.stdout.destroy(),
  };
}

async function asProcess({ hosts }: Cluster): Promise<void> {
  const server = ["--server", hosts, "--timeout-ms", "20000"];
  const value = Uint8Array.from({ length: 1_000_000 }, (_, at) => (at * 7919) & 0xff);
  const put = await start(["kv", "put", "big", "-", ...server], value).ended;
  assert.deepEqual([put.code, put.err], [0, ""]);
  const got = await start(["kv", "get", "big", ...server]).ended;
  assert.equal(got.code, 0);
  assert.ok(Buffer.compare(got.out, value) === 0, "the bytes come back as they went in");

  const failed = await start(["kv", "get", "nothing", "--json", ...server]).ended;
  assert.deepEqual([failed.code, failed.out.length, JSON.parse(failed.err).error.code], [1, 0, "not_found"]);

  const watching = start(["kv", "watch", "--from", "1", ...server]);
  await watching.printed;
  watching.interrupt();
  const interrupted = await watching.ended;
  assert.deepEqual([interrupted.code, interrupted.err], [130, ""]);

  const unread = start(["status", "--watch", "--interval-ms", "50", ...server]);
  await unread.printed;
  unread.closeOutput();
  const closed = await unread.ended;
  assert.deepEqual([closed.code, closed.err], [0, ""]);
}

async function onIpv6(cluster: Cluster): Promise<void> {
  await keysAndValues(cluster);
  const [, second, , fourth] = cluster.servers.map(({ address }) => new URL(address).host);
  const server = ["--server", cluster.hosts, "--timeout-ms", "20000"];
  await json(["member", "add", "n4", String(fourth), ...server]);
  assert.equal((await json(["leader", "transfer", "n2", ...server]))["leader"], "n2");
  assert.equal((await cli(["status", "--server", String(fourth)])).code, 0);
  // Clients may write an address in any of its forms.
  const port = String(second).split(":").at(-1);
  for (const host of [`[::1]:${port}`, `[0:0:0:0:0:0:0:1]:${port}`]) {
    const answer = await fetch(`http://[::1]:${port}/kv/colour`, { headers: { host } });
    assert.deepEqual([answer.status, await answer.text()], [200, "blue"], host);
  }
}

async function withoutQuorum({ servers, hosts }: Cluster): Promise<void> {
  const server = ["--server", hosts];
  await json(["kv", "put", "k", "v", "--timeout-ms", "20000", ...server]);
  // Enough for a busy server to report that there is no leader: one without time for that is unreachable, which is 3.
  const patience = ["--timeout-ms", "3000"];
  // It begins while the others close, and the leader's end has to be noticed first.
  const watching = cli(["kv", "watch", "--timeout-ms", "8000", ...server]);
  await Promise.all(servers.slice(1).map((each) => each.close()));

  // The last one leads for at most an election timeout; requests to it in that time may have an unknown outcome.
  const leader = async (): Promise<unknown> => JSON.parse((await cli(["status", "--json", ...server])).out).leader;
  for (const end = Date.now() + 20_000; await leader() !== null;) assert.ok(Date.now() < end, "it gives leadership up");
  assert.equal((await cli(["status", ...server])).code, 4);
  await Promise.all([["kv", "get", "k"], ["kv", "put", "k", "w"], ["member", "remove", "n2"]].map(async (args) => {
    const ran = await cli([...args, ...patience, ...server]);
    assert.equal(ran.code, 4, `${args.join(" ")}: ${ran.err}`);
  }));
  assert.equal((await cli(["kv", "get", "k", "--consistency", "stale", ...server])).out, "v");
  const watched = await watching;
  assert.equal(watched.code, 4, watched.err);

  await servers[0]?.close();
  for (
    const args of [["status"], ["kv", "get", "k"], ["kv", "put", "k", "w"], ["member", "list"], ["leader", "transfer"]]
  ) {
    const ran = await cli([...args, ...server]);
    assert.equal(ran.code, 3, args.join(" "));
    assert.match(ran.err, /No server answers at /);
  }
}

/** The suite. */
export const commandLine: Suite = {
  name: "command line",
  cases: [
    {
      name: "keys, values, members, leadership and the log, against real servers",
      run: () =>
        withCluster(3, 1, async (cluster) => {
          await keysAndValues(cluster);
          await membersAndLeadership(cluster);
          await theLog(cluster);
          await asProcess(cluster);
        }),
    },
    { name: "a cluster on IPv6", run: () => withCluster(3, 1, onIpv6, "::1") },
    { name: "without a quorum, and without any server", run: () => withCluster(3, 0, withoutQuorum) },
  ],
};
