/**
 * Requests that arrive before the one before them was answered, to a server in each runtime.
 */

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { runtimes } from "../../tools/runtimes.ts";
import { peakMib } from "../fuzz/guard.ts";
import { commandOf, eventually, type Node, Nodes } from "../support/server_processes.ts";

/** Runs `work` with one node, in each runtime. */
async function inEach(work: (node: Node) => Promise<void>): Promise<void> {
  const programs = await runtimes();
  for (const runtime of ["deno", "node", "bun"] as const) {
    try {
      await Nodes.run([commandOf(runtime, programs[runtime])], ({ all: [node] }) => work(node!));
    } catch (error) {
      throw new Error(`${runtime}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
}

function open({ address }: Node, text: string): Socket {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  socket.write(text);
  return socket;
}

function request(line: string, body = ""): string {
  return `${line} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

Deno.test("pipelined requests are carried out one after the other, all of them, in Deno, Node and Bun", async () => {
  await inEach(async (node) => {
    const values = Array.from({ length: 300 }, (_, at) => `value ${at}, ${"x".repeat(at % 7 === 0 ? 30_000 : at)}`);
    const text = values.map((value) => request("PUT /kv/key", value) + request("GET /kv/key")).join("");
    const socket = open(node, text);
    let answers = "";
    socket.on("data", (data) => void (answers += data.toString("latin1")));
    const read = (): string[] => answers.split("HTTP/1.1 ").slice(1);
    await eventually("all answers", () => read().length >= 600 && answers.endsWith(values.at(-1)!));
    socket.destroy();
    for (const [at, value] of values.entries()) {
      assert.match(read()[2 * at]!, at === 0 ? /^201/ : /^200/);
      // A get sees the put before it.
      assert.equal(read()[2 * at + 1]!.split("\r\n\r\n")[1], value);
    }
  });
});

Deno.test("thousands of pipelined requests neither fill the memory nor keep others waiting, in Deno, Node and Bun", async () => {
  await inEach(async (node) => {
    const sockets = Array.from({ length: 100 }, () => open(node, request("GET /status").repeat(2000)).pause());
    try {
      const began = performance.now();
      assert.ok((await node.put("beside", "1")).ok);
      const tookMs = performance.now() - began;
      assert.ok(tookMs < 10_000, `${tookMs} ms`);
      assert.ok(peakMib(node.pid) < 400, `${peakMib(node.pid)} MiB`);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    assert.ok((await node.put("after", "1")).ok);
  });
});

Deno.test("a client that asks for a tunnel is refused, and harms no other by going on, in Deno, Node and Bun", async () => {
  await inEach(async (node) => {
    const tunnel = "CONNECT localhost:1 HTTP/1.1\r\nhost: localhost:1\r\n\r\n";
    for (let at = 0; at < 20; at++) {
      const socket = open(node, tunnel + request("GET /kv/tunnel").repeat(50));
      let answers = "";
      socket.on("data", (data) => void (answers += data.toString("latin1")));
      await eventually("a refusal", () => answers.startsWith("HTTP/1.1 400"));
      socket.destroy();
      assert.ok((await node.put("beside", "1")).ok);
    }
  });
});
