import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { RaftError } from "../../../../lib/errors.ts";
import { createConnectClientTransport } from "../../../../transport/connect/client_transport.ts";

/** Reports whether a request is complete, whichever way its length is declared. */
function isWhole(received: string): boolean {
  const head = received.indexOf("\r\n\r\n");
  if (head < 0) return false;
  if (/^transfer-encoding: *chunked/im.test(received)) return received.endsWith("0\r\n\r\n");
  const length = Number(/^content-length: *(\d+)/im.exec(received)?.[1] ?? 0);
  return received.length >= head + 4 + length;
}

/**
 * Answers the first request, and keeps the connection. Reads any other to the end,
 * and then dies like a killed process; with `gone`, its address has no listener
 * from then on.
 */
async function servePoorly(gone: boolean) {
  const sockets = new Set<Socket>();
  const counts = { requests: 0 };
  const server = createServer((socket) => {
    sockets.add(socket);
    let received = "";
    socket.setEncoding("latin1");
    socket.on("error", () => {});
    socket.on("data", (data) => {
      received += String(data);
      if (!isWhole(received)) return;
      received = "";
      if (++counts.requests === 1) {
        socket.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      if (gone) server.close();
      socket.destroy();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, counts, close };
}

for (const gone of [true, false]) {
  Deno.test(`a command that a dying server has read is not sent again, and its outcome is unknown: ${gone}`, async () => {
    const { address, counts, close } = await servePoorly(gone);
    const transport = createConnectClientTransport();
    const propose = () =>
      transport.propose(address, [new Uint8Array([1])]).then(
        () => assert.fail("no node answers"),
        (error: RaftError) => `${error.code} ${error.outcome}`,
      );
    assert.equal(await propose(), "unsupported rejected");
    // Some runtimes resend a request of a kept-alive connection, and so may apply it twice.
    assert.equal(await propose(), "unreachable unknown");
    assert.equal(counts.requests, 2);
    await transport.close?.();
    close();
  });
}
