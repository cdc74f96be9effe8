/** Connections that are reset while the server answers them, in each runtime. */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { runtimes } from "../../tools/runtimes.ts";
import { commandOf, Nodes } from "../support/server_processes.ts";

const programs = await runtimes();

const REQUESTS = [
  "CONNECT /x HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
  "GET / HTTP/9.9\r\n\r\n",
  "GET /status HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
  "GET /status HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
];

/** Sends a request, and resets the connection at once. */
function resetAfter(port: number, request: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {}).on("close", () => resolve());
    socket.on("connect", () => socket.write(request, () => socket.resetAndDestroy()));
  });
}

for (const runtime of ["deno", "node", "bun"] as const) {
  Deno.test(`${runtime}: connections that are reset at once end no server`, async () => {
    await Nodes.run([commandOf(runtime, programs[runtime])], async ({ all: [node] }) => {
      assert.ok(node !== undefined);
      const port = Number(new URL(node.address).port);
      for (let round = 0; round < 40; round++) {
        await Promise.all(REQUESTS.map((request) => resetAfter(port, request)));
      }
      await (await node.put("key", "value")).text();
      assert.equal(await node.get("key"), "value");
      assert.equal(await node.end("SIGTERM"), 0);
    });
  });
}
