/** A watch that is cut off because its client doesn't read: by the log's rules, in each runtime. */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { runtimes } from "../../tools/runtimes.ts";
import { commandOf, eventually, Nodes } from "../support/server_processes.ts";
import type { Node } from "../support/server_processes.ts";

const programs = await runtimes();

/** Returns the number of watchers that a node has ended. */
async function endedWatchers({ address }: Node): Promise<number> {
  const text = await (await fetch(`${address}/metrics`)).text();
  return Number(/^raft_watches_ended_total\{reason="slow"\} (\d+)$/m.exec(text)?.[1]);
}

for (const runtime of ["deno", "node", "bun"] as const) {
  Deno.test(`${runtime}: a watch that is cut off leaves no stack in the log, and the node goes on`, async () => {
    await Nodes.run([commandOf(runtime, programs[runtime])], async ({ all: [node] }) => {
      assert.ok(node !== undefined);
      const socket = connect({ host: "127.0.0.1", port: Number(new URL(node.address).port) });
      socket.on("error", () => {});
      socket.pause();
      socket.write("GET /kv?watch HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
      // More than the buffers of both sides take.
      const value = "x".repeat(1024 * 1024);
      await eventually("the watch was ended", async () => {
        await (await node.put("large", value)).body?.cancel();
        return await endedWatchers(node) > 0;
      });
      socket.destroy();
      await (await node.put("after", "x")).body?.cancel();
      assert.equal(await node.get("after"), "x");
      // Its last output is there once its process has ended.
      await node.end("SIGTERM");
      const lines = node.output.trim().split("\n");
      assert.deepEqual(lines.filter((line) => !/^\d{4}-\d\d-\d\dT\S+ (info|warn|error) /.test(line)), []);
    }, ["--watch-stall-timeout-ms", "1000"]);
  });
}
