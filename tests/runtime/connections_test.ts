/**
 * Connections that are slow, idle, too many or broken off, to a server in each runtime.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { runtimes } from "../../tools/runtimes.ts";
import { commandOf, eventually, type Node, Nodes } from "../support/server_processes.ts";

const RUNTIMES = ["deno", "node", "bun"] as const;

/** Runs `work` with one node, in each runtime. */
async function inEach(
  flags: readonly string[],
  work: (node: Node) => Promise<void>,
  shell: readonly string[] = [],
): Promise<void> {
  const programs = await runtimes();
  for (const runtime of RUNTIMES) {
    try {
      await Nodes.run([[...shell, ...commandOf(runtime, programs[runtime])]], ({ all: [node] }) => work(node!), flags);
    } catch (error) {
      throw new Error(`${runtime}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
}

/** A connection that has sent some bytes. */
class Raw {
  received = "";
  closed = false;
  readonly #socket: Socket;

  constructor({ address }: Pick<Node, "address">, bytes: string | readonly number[]) {
    const { hostname, port } = new URL(address);
    this.#socket = connect(Number(port), hostname);
    this.#socket.on("data", (data) => void (this.received += data.toString("latin1")));
    this.#socket.on("error", () => {}).on("close", () => void (this.closed = true));
    if (bytes.length > 0) this.write(bytes);
  }

  write(bytes: string | readonly number[]): void {
    this.#socket.write(typeof bytes === "string" ? bytes : Uint8Array.from(bytes));
  }

  end(): void {
    this.#socket.destroy();
  }
}

/** An HTTP/1.1 request with more header lines. */
function request(line: string, ...headers: readonly string[]): string {
  return [`${line} HTTP/1.1`, "host: localhost", ...headers, "", ""].join("\r\n");
}

/** The beginning of HTTP/2: its preface, and empty settings. */
const BEGIN = [...new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0, 0, 0, 4, 0, 0, 0, 0, 0];

/** A frame of HTTP/2 on a stream. */
function frame(type: number, flags: number, stream: number, payload: readonly number[]): number[] {
  const id = [24, 16, 8, 0].map((bits) => (stream >> bits) & 0xff);
  return [0, payload.length >> 8, payload.length & 0xff, type, flags, ...id, ...payload];
}

/** A GET as a block of headers: method and scheme by their indexes, the others as literals. */
function headerBlock(path: string): number[] {
  const literal = (index: number, value: string) => [index, value.length, ...new TextEncoder().encode(value)];
  return [0x82, 0x86, ...literal(4, path), ...literal(1, "localhost")];
}

const proto = "content-type: application/proto";

/** Reads a metric. */
async function metric({ address }: Node, name: string): Promise<number> {
  const text = await (await fetch(`${address}/metrics`)).text();
  return Number(text.split("\n").find((line) => line.startsWith(`${name} `))?.slice(name.length));
}

/** Resolves with the milliseconds until a read of a key is answered, on a connection of its own. */
async function readTakesMs(node: Node): Promise<number> {
  const began = performance.now();
  const read = new Raw(node, request("GET /kv/nothing", "connection: close"));
  await eventually("an answer", () => read.received.startsWith("HTTP/1.1 404"));
  read.end();
  return performance.now() - began;
}

Deno.test("connections that break off before they are taken cost nothing, in Deno, Node and Bun", async () => {
  await inEach([], async (node) => {
    const kept = new Raw(node, request("GET /livez"));
    await eventually("an answer", () => kept.received.includes("200 OK"));
    // A stopped process takes none, so each is broken off before.
    process.kill(node.pid!, "SIGSTOP");
    const { hostname, port } = new URL(node.address);
    for (let n = 0; n < 100; n++) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect(Number(port), hostname, () => void socket.resetAndDestroy());
        socket.on("close", () => resolve()).on("error", reject);
      });
    }
    process.kill(node.pid!, "SIGCONT");
    await readTakesMs(node);
    kept.received = "";
    kept.write(request("GET /livez"));
    await eventually("an answer on the kept connection", () => kept.received.includes("200 OK"));
    assert.doesNotMatch(node.output, /Reached/);
    kept.end();
  });
});

Deno.test("silent, slow and idle connections are ended; a watch is not, in Deno, Node and Bun", async () => {
  const flags = ["--headers-timeout-ms", "400", "--idle-timeout-ms", "600", "--body-timeout-ms", "500"];
  await inEach(flags, async (node) => {
    const watch = new Raw(node, request("GET /kv?watch"));
    await eventually("the watch's answer", () => watch.received.includes(": watching"));
    const slow: Record<string, Raw> = {
      silent: new Raw(node, ""),
      "half a request line": new Raw(node, "GET /li"),
      "half a head": new Raw(node, "GET /livez HTTP/1.1\r\nhost: localhost\r\nx: "),
      "half a preface of HTTP/2": new Raw(node, "PRI * HT"),
      "HTTP/2 without a request": new Raw(node, [...BEGIN, ...frame(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8])]),
      "half a head in HTTP/2": new Raw(node, [...BEGIN, ...frame(1, 0, 1, [0x82])]),
      "an answered request": new Raw(node, request("GET /livez")),
      "half a body": new Raw(node, request("PUT /kv/slow", "content-length: 1000") + "x"),
      "half a chunked body": new Raw(node, request("PUT /kv/slow", "transfer-encoding: chunked") + "5\r\nab"),
      "half a call": new Raw(node, request("POST /raft.v1.ClientService/Propose", proto, "content-length: 99") + "x"),
      "half a large call": new Raw(
        node,
        request("POST /raft.v1.ClientService/Propose", proto, "content-length: 9000000") + "x",
      ),
      "half a call for a stream": new Raw(
        node,
        request("POST /raft.v1.KeyValueService/Watch", "content-type: application/connect+proto", "content-length: 9") +
          "\0\0",
      ),
      "a call for a stream without a message": new Raw(
        node,
        request("POST /raft.v1.KeyValueService/Watch", "content-type: application/connect+proto", "content-length: 9"),
      ),
    };
    for (const [what, connection] of Object.entries(slow)) {
      await eventually(`${what}: the end of the connection`, () => connection.closed, 10_000);
    }
    assert.match(slow["an answered request"]!.received, /^HTTP\/1.1 200/);
    assert.match(slow["half a body"]!.received, /^HTTP\/1.1 503[^]*did not arrive within 500 ms/);
    assert.match(slow["half a call"]!.received, /^HTTP\/1.1 \d+[^]*did not arrive within 500 ms/);

    assert.equal(watch.closed, false);
    await node.put("event", "1");
    await eventually("the event", () => watch.received.includes("event: put"));
    watch.end();
    assert.ok(await metric(node, 'raft_connections_total{result="timed_out"}') > 0);
  });
});

Deno.test("a slow head of a further request is ended long before an idle connection, in Deno, Node and Bun", async () => {
  // Under Deno both are the same, for want of an idle timeout.
  const flags = ["--headers-timeout-ms", "500"];
  await inEach(flags, async (node) => {
    const slow: Record<string, Raw> = {
      "after an answer": new Raw(node, request("GET /livez")),
      "together with a request": new Raw(node, request("GET /livez") + "GET /li"),
      "drop by drop": new Raw(node, request("GET /livez")),
    };
    for (const [what, connection] of Object.entries(slow)) {
      await eventually(`${what}: an answer`, () => connection.received.startsWith("HTTP/1.1 200"));
    }
    const half = "GET /livez HTTP/1.1\r\nhost: localhost\r\nx: ";
    slow["after an answer"]!.write(half);
    slow["drop by drop"]!.write(half);
    const drops = setInterval(() => slow["drop by drop"]!.write("x"), 100);
    const began = performance.now();
    try {
      for (const [what, connection] of Object.entries(slow)) {
        await eventually(`${what}: the end of the connection`, () => connection.closed, 20_000);
      }
    } finally {
      clearInterval(drops);
    }
    assert.ok(performance.now() - began >= 400);
    assert.ok(await metric(node, 'raft_connections_total{result="timed_out"}') >= 2);
  });
});

Deno.test("at the limit idle connections make room; peers and operators still get in, in Deno, Node and Bun", async () => {
  await inEach(["--max-connections", "20"], async (node) => {
    const open: Raw[] = [];
    const silent = Array.from({ length: 100 }, () => new Raw(node, ""));
    assert.ok(await readTakesMs(node) < 1000);
    await eventually("room made", async () => await metric(node, 'raft_connections_total{result="evicted"}') >= 50);
    assert.ok(await metric(node, "raft_connections") <= 36);
    for (const each of silent) each.end();

    await node.printed(/Reached the limit of 20 connections/);
    for (let count = 0; count < 20; count++) open.push(new Raw(node, request("GET /kv?watch")));
    await eventually("20 watches", () => open.every(({ received }) => received.includes(": watching")));
    const client = new Raw(node, request("GET /kv/nothing"));
    await eventually("a refusal", () => client.received.startsWith("HTTP/1.1 503") && client.closed);
    assert.match(client.received, /"code":"busy"[^]*"outcome":"rejected"/);
    const operator = new Raw(node, request("GET /status", "connection: close"));
    await eventually("a status", () => operator.received.startsWith("HTTP/1.1 200"));
    const caller = request("POST /raft.v1.PeerService/Identify", "content-type: application/json", "content-length: 2");
    const peer = new Raw(node, caller + "{}");
    await eventually("an answer", () => /^HTTP\/1.1 [24]/.test(peer.received));
    for (const each of [...open, operator, peer]) each.end();
    await eventually("room again", async () => {
      const read = new Raw(node, request("GET /kv/nothing", "connection: close"));
      await eventually("an answer", () => read.closed || read.received !== "");
      read.end();
      return read.received.startsWith("HTTP/1.1 404");
    });
    await node.printed(/Takes new connections again/);
    assert.equal(node.output.match(/Reached the limit/g)?.length, 1, node.output);
  });
});

Deno.test("an HTTP/2 client that resets without end is cut off, and no other waits, in Deno, Node and Bun", async () => {
  await inEach([], async (node) => {
    for (let key = 0; key < 20; key++) await node.put(`key${key}`, "x".repeat(100_000));
    const block = headerBlock("/kv?limit=1000");
    const client = new Raw(node, BEGIN);
    let stream = 1;
    const sending = setInterval(() => {
      for (let count = 0; count < 100; count++, stream += 2) {
        client.write([...frame(1, 5, stream, block), ...frame(3, 0, stream, [0, 0, 0, 8])]);
      }
    }, 10);
    try {
      await eventually("the end of the connection", () => client.closed, 20_000);
    } finally {
      clearInterval(sending);
      client.end();
    }
    const tookMs = await readTakesMs(node);
    assert.ok(tookMs < 1000, `${tookMs} ms`);
  });
});

Deno.test("at the limit of open files a node refuses, goes on and says so once, in Deno, Node and Bun", async () => {
  const limited = ["sh", "-c", 'ulimit -n 130; exec "$@"', "sh"];
  await inEach([], async (node) => {
    const silent = Array.from({ length: 400 }, () => new Raw(node, ""));
    await node.printed(/Reached the limit of \d+ connections/);
    assert.ok(await readTakesMs(node) < 1000);
    await node.put("key", "written at the limit");
    for (const each of silent) each.end();
    await node.printed(/Takes new connections again/);
    assert.equal(node.output.match(/Reached the limit/g)?.length, 1, node.output);
    assert.equal(await node.get("key"), "written at the limit");
  }, limited);
});

Deno.test("a request that its client aborts learns so while it works, in Deno, Node and Bun", async () => {
  const programs = await runtimes();
  const file = new URL("./abort_server.ts", import.meta.url).pathname;
  for (const runtime of RUNTIMES) {
    const flags = runtime === "deno" ? ["run", "--allow-all", "--no-check"] : [];
    const child = spawn(programs[runtime], [...flags, file], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      let output = "";
      child.stdout.on("data", (data) => void (output += String(data)));
      const port = await eventually(`${runtime}: a port`, () => /port (\d+)/.exec(output)?.[1]);
      const server = { address: `http://127.0.0.1:${port}` };
      const plain = new Raw(server, request("GET /plain"));
      const h2 = new Raw(server, [...BEGIN, ...frame(1, 5, 1, headerBlock("/h2"))]);
      await eventually(`${runtime}: both begin`, () => /begins \/plain/.test(output) && /begins \/h2/.test(output));
      plain.end();
      h2.write(frame(3, 0, 1, [0, 0, 0, 8]));
      await eventually(`${runtime}: both end`, () => /aborted \/plain/.test(output) && /aborted \/h2/.test(output));
      h2.end();
    } finally {
      child.kill("SIGKILL");
    }
  }
});
