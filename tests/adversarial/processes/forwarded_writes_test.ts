/**
 * Writes without a session, through followers, while the leader is killed: each is
 * forwarded at most once. A write that was acknowledged was applied once, a rejected
 * one was not, and only an unknown one may be either.
 */

import assert from "node:assert/strict";
import { request } from "node:http";
import { eventually, Nodes, threeNodes } from "../../support/server_processes.ts";
import type { Node } from "../../support/server_processes.ts";

const KILLS = 3;
const WRITERS = 16;

/** Sends one PUT on a connection of its own: `fetch` may retry by itself when a kept connection breaks. */
function put(node: Node, key: string): Promise<{ status: number; body: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const call = request(`${node.address}/kv/${key}`, { method: "PUT", agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => text += chunk);
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
    });
    call.on("error", reject);
    call.end(`value of ${key}`);
  });
}

Deno.test("writes without a session through followers, while leaders are killed, are never forwarded twice", async () => {
  await Nodes.run(threeNodes(), async (nodes) => {
    const done = new Map<string, number>();
    const rejected = new Set<string>();
    const unknown = new Set<string>();
    let running = true;
    const write = async (writer: number): Promise<void> => {
      for (let n = 0; running; n++) {
        const key = `w${writer}-${n}`;
        const node = nodes.all[(writer + n) % nodes.all.length]!;
        try {
          const { status, body } = await put(node, key);
          if (status === 201) done.set(key, Number(body["version"]));
          else (body["outcome"] === "rejected" ? rejected : unknown).add(key);
        } catch {
          unknown.add(key);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer));
    for (let n = 0; n < KILLS; n++) {
      const goal = done.size + 200;
      await eventually("writes that are done", () => done.size >= goal);
      const leader = await nodes.leader();
      await leader.end("SIGKILL");
      await nodes.leader(leader);
      nodes.start(leader);
      await nodes.leader();
    }
    running = false;
    await Promise.all(writers);

    const reader = await nodes.leader();
    const held = new Map<string, number>();
    for (let after = "", more = true; more;) {
      const response = await fetch(`${reader.address}/kv?prefix=w&limit=1000${after === "" ? "" : `&after=${after}`}`);
      const page = await response.json() as { entries: { key: string; version: number }[]; more: boolean };
      for (const { key, version } of page.entries) held.set(key, version);
      after = page.entries.at(-1)?.key ?? after;
      more = page.more;
    }
    for (const [key, version] of done) {
      assert.equal(held.get(key), version, `${key} was written, but differs`);
    }
    for (const key of rejected) assert.ok(!held.has(key), `${key} was rejected, but exists`);
    for (const key of held.keys()) assert.ok(done.has(key) || unknown.has(key), `no client wrote ${key}`);
    console.log(
      "forwarded writes",
      JSON.stringify({ done: done.size, rejected: rejected.size, unknown: unknown.size }),
    );
    assert.ok(done.size > KILLS * 200);
  });
});
