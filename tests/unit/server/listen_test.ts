import assert from "node:assert/strict";
import * as http2 from "node:http2";
import { connect } from "node:net";
import { listen } from "../../../server/listen.ts";

const loopback = { hostname: "127.0.0.1", port: 0 };

Deno.test("one port takes HTTP/1.1 and h2c", async () => {
  const listener = await listen({ ...loopback, handler: async (request) => new Response(await request.text()) });
  const url = `http://127.0.0.1:${listener.port}`;
  assert.equal(await (await fetch(url, { method: "POST", body: "one" })).text(), "one");
  const session = http2.connect(url);
  const answer = await new Promise<string>((resolve, reject) => {
    const stream = session.request({ ":method": "POST", ":path": "/" });
    let text = "";
    stream.on("data", (chunk) => text += chunk).on("end", () => resolve(text)).on("error", reject).end("two");
  });
  assert.equal(answer, "two");
  session.close();
  await listener.close();
});

Deno.test("a port in use, an address of another machine: one clear message", async () => {
  const listener = await listen({ ...loopback, handler: () => new Response() });
  const { port } = listener;
  await assert.rejects(listen({ ...loopback, port, handler: () => new Response() }), {
    message: `127.0.0.1:${port} is in use by another process; stop it, or choose another port`,
  });
  await listener.close();
  await assert.rejects(listen({ hostname: "192.0.2.1", port: 0, handler: () => new Response() }), {
    message: "192.0.2.1:0 is not an address of this machine",
  });
});

Deno.test("close lets a request end, and cuts a stream that doesn't", async () => {
  let arrived = () => {};
  const bothArrived = new Promise<void>((resolve) => {
    let count = 0;
    arrived = () => void (++count === 2 && resolve());
  });
  const listener = await listen({
    ...loopback,
    async handler(request) {
      arrived();
      if (request.url.endsWith("/endless")) {
        return new Response(new ReadableStream({ start: (c) => c.enqueue(new Uint8Array(1)) }));
      }
      await bothArrived;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return new Response("done");
    },
  });
  const url = `http://127.0.0.1:${listener.port}`;
  const endless = (await fetch(`${url}/endless`)).body!.getReader();
  await endless.read();
  const finite = fetch(`${url}/finite`).then((response) => response.text());
  await bothArrived;
  await listener.close(500);
  assert.equal(await finite, "done");
  await endless.read().then(({ done }) => assert.ok(done), () => {});
  await assert.rejects(fetch(url));
});

Deno.test("close at once", async () => {
  const listener = await listen({ ...loopback, handler: () => new Response() });
  const socket = connect(listener.port, "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  await listener.close(0);
  socket.destroy();
});
