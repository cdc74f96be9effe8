import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { openPort } from "../../../server/shared_port.ts";

const errors: Error[] = [];
const failed = (error: Error) => void errors.push(error);
const create = () => net.createServer((socket) => void socket.end("hello"));

function portOf(servers: readonly net.Server[]): number {
  return (servers[0]!.address() as net.AddressInfo).port;
}

async function close(servers: readonly net.Server[]): Promise<void> {
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
}

/** A system that cannot share a port. */
class OldServer extends net.Server {
  override listen(...args: unknown[]): this {
    const [options, listener] = args as [net.ListenOptions, () => void];
    if (options.reusePort !== true) return super.listen(options, listener);
    queueMicrotask(() => this.emit("error", Object.assign(new Error("not supported"), { code: "ENOTSUP" })));
    return this;
  }
}

Deno.test("several servers share a port, where the system can, and no other process does", async () => {
  const servers = await openPort(create, { hostname: "127.0.0.1", port: 0 }, failed);
  assert.equal(servers.length, Deno.build.os === "linux" ? 8 : servers.length);
  const port = portOf(servers);
  for (const server of servers) assert.equal(portOf([server]), port);
  await assert.rejects(openPort(create, { hostname: "127.0.0.1", port }, failed), { code: "EADDRINUSE" });
  // An error of accepting reaches the caller, for each of them.
  for (const server of servers) server.emit("error", new Error("too many open files"));
  assert.equal(errors.length, servers.length);
  for (let i = 0; i < 30; i++) {
    const [data] = await once(net.connect(port, "127.0.0.1"), "data");
    assert.equal(String(data), "hello");
  }
  await close(servers);
  const again = await openPort(create, { hostname: "127.0.0.1", port }, failed);
  assert.equal(portOf(again), port);
  await close(again);
});

Deno.test("a port is opened once where the system can't share it, and one in use is noticed", async () => {
  const old = () => new OldServer();
  const servers = await openPort(old, { hostname: "127.0.0.1", port: 0 }, failed);
  assert.equal(servers.length, 1);
  await assert.rejects(openPort(old, { hostname: "127.0.0.1", port: portOf(servers) }, failed), { code: "EADDRINUSE" });
  await close(servers);
});
