import assert from "node:assert/strict";
import { ByteBudget } from "../../../../lib/byte_budget.ts";
import type { RaftError } from "../../../../lib/errors.ts";
import { concatBytes } from "../../../../lib/bytes.ts";
import { GrowingBytes } from "../../../../lib/growing_bytes.ts";
import { connectFetchHandler, createRaftRoutes, type RpcService } from "../../../../transport/connect/mod.ts";
import { BodyReceiver } from "../../../../transport/connect/receive.ts";
import { FrameReader } from "../../../../transport/wire/frames.ts";

const KIB = 1024;

/** A body under the control of a test. */
class Source {
  cancelled = false;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly stream: ReadableStream<Uint8Array> = new ReadableStream({
    start: (controller) => {
      this.#controller = controller;
    },
    cancel: () => {
      this.cancelled = true;
    },
  }, { highWaterMark: 0 });

  send(...bytes: number[]): void {
    this.#controller!.enqueue(new Uint8Array(bytes));
  }

  sendZeros(count: number): void {
    this.#controller!.enqueue(new Uint8Array(count));
  }

  end(): void {
    this.#controller!.close();
  }
}

function post(body: BodyInit, headers: Record<string, string> = {}): Request {
  return new Request("http://h/", { method: "POST", body, headers });
}

/** Resolves once all promises that can settle without further input have settled. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

const whole = (receiver: BodyReceiver, request: Request, maxBytes: number): Promise<Uint8Array> =>
  receiver.whole(request, { maxBytes, peer: false }, (bytes) => Promise.resolve(bytes));

/** Returns a share, and the bytes and the error of its request. */
function request(budget: ByteBudget, spareBytes = 0) {
  const state = { bytes: 0, error: null as RaftError | null };
  const share = budget.open({ spareBytes, refuse: (error) => void (state.error = error) });
  const take = (bytes: number): void => {
    share.take(bytes);
    state.bytes += bytes;
  };
  return { ...share, take, state };
}

Deno.test("a full budget refuses the largest request, so that a smaller one always finds room", () => {
  const budget = new ByteBudget(1000);
  const [large, middle, small] = [request(budget), request(budget), request(budget)];
  large.take(600);
  middle.take(400);
  const busy = { code: "busy", outcome: "rejected", message: /the limit of 1000 bytes/ };
  assert.throws(() => large.take(1), busy);
  assert.equal(middle.state.error, null);
  small.take(10);
  assert.equal(large.state.error?.code, "busy");
  assert.equal(budget.usedBytes, 410);
  small.take(400);
  small.take(190);
  assert.throws(() => small.take(1), busy, "it is the largest by now");
  assert.throws(() => request(budget).take(600), busy, "a newcomer of the same size gets no room");
  assert.equal(budget.refused, 4);
  small.release();
  middle.release();
  large.release();
  assert.equal(budget.usedBytes, 0);
});

Deno.test("a hundred greedy requests leave room for each one that is smaller", () => {
  const budget = new ByteBudget(10_000);
  const greedy = Array.from({ length: 100 }, () => request(budget));
  for (let round = 0; round < 100; round++) {
    for (const { take, state } of greedy) {
      try {
        if (state.error === null) take(40);
      } catch (error) {
        state.error = error as RaftError;
      }
    }
    request(budget).take(20);
  }
  assert.ok(budget.usedBytes <= 10_000);
});

Deno.test("a request that has arrived is not refused for others", () => {
  const budget = new ByteBudget(1000);
  const first = request(budget);
  first.take(900);
  first.arrived();
  assert.throws(() => request(budget).take(200), { code: "busy" });
  assert.equal(first.state.error, null);
});

Deno.test("a budget keeps bytes free for one kind", () => {
  const budget = new ByteBudget(1000);
  const [client, peer] = [request(budget, 250), request(budget)];
  client.take(750);
  assert.throws(() => client.take(1), { code: "busy" });
  peer.take(250);
  assert.equal(client.state.error, null);
});

Deno.test("pieces of any size are put together, and counted by what they take", () => {
  const budget = new ByteBudget(1024 * KIB);
  const bytes = Uint8Array.from({ length: 10_000 }, (_, at) => at * 7);
  for (const size of [1, 3, 1024, 1025, 4096, 10_000]) {
    const share = request(budget);
    const growing = new GrowingBytes(share);
    for (let at = 0; at < bytes.length; at += size) growing.append(bytes.subarray(at, at + size), bytes.length);
    assert.equal(growing.length, bytes.length);
    assert.equal(budget.usedBytes, bytes.length, "never more than there will be");
    assert.deepEqual(growing.head.subarray(0, 5), bytes.subarray(0, 5));
    assert.deepEqual(growing.take(), bytes);
    assert.deepEqual(growing.take(), new Uint8Array(0));
    share.release();
  }
});

Deno.test("frames come out whole, however they are cut, and one over the limit is refused by its header", () => {
  const frames = [[0], [0, 9, 8], [2, ...new Array(300).fill(7)], [0]].map(([flags = 0, ...content]) =>
    new Uint8Array([flags, 0, 0, content.length >> 8, content.length & 255, ...content])
  );
  const all = concatBytes(frames);
  for (let size = 1; size <= all.length; size++) {
    const budget = new ByteBudget(64 * KIB);
    const reader = new FrameReader(300, request(budget));
    const out: Uint8Array[] = [];
    for (let at = 0; at < all.length; at += size) out.push(...reader.push(all.subarray(at, at + size)));
    assert.deepEqual(out.map((frame) => [...frame]), frames.map((frame) => [...frame]), `pieces of ${size}`);
    assert.equal(reader.inFrame, false);
    assert.equal(budget.usedBytes, 0);
  }
  const huge = new FrameReader(300);
  assert.throws(() => [...huge.push(new Uint8Array([0, 0xff, 0xff, 0xff, 0xff]))], {
    code: "too_large",
    message: /the limit is 300 bytes/,
  });
});

Deno.test("a body at its limit passes, one over it doesn't, with or without a stated length", async () => {
  const receiver = new BodyReceiver();
  const stream = (size: number) => {
    const source = new Source();
    for (let at = 0; at < size; at++) source.send(1);
    source.end();
    return source.stream;
  };
  assert.equal((await whole(receiver, post(new Uint8Array(8), { "content-length": "8" }), 8)).length, 8);
  assert.equal((await whole(receiver, post(stream(8)), 8)).length, 8);
  assert.equal((await whole(receiver, post(""), 8)).length, 0);
  const stated = post(new Uint8Array(9), { "content-length": "9" });
  await assert.rejects(whole(receiver, stated, 8), { code: "too_large", outcome: "rejected" });
  assert.equal(stated.bodyUsed, false, "it was not begun");
  await assert.rejects(whole(receiver, post(stream(9)), 8), { code: "too_large", outcome: "rejected" });
  assert.equal(receiver.budget.usedBytes, 0);
});

Deno.test("a body that stops is given up, be it small or large, and so is a frame; a stream may pause between frames", async () => {
  const receiver = new BodyReceiver({ bodyTimeoutMs: 20 });
  for (const headers of [{}, { "content-length": "100" }, { "content-length": "100000" }]) {
    const source = new Source();
    source.send(1);
    await assert.rejects(whole(receiver, post(source.stream, headers), 1e6), { code: "timeout", outcome: "rejected" });
  }
  const source = new Source();
  const silent = receiver.frames(post(new Source().stream), { maxBytes: 100, peer: false }, () => {});
  await assert.rejects(silent.next(), /did not arrive within 20 ms/);
  const frames = receiver.frames(post(source.stream), { maxBytes: 100, peer: true, mayPause: true }, () => {});
  source.send(0, 0, 0, 0, 0);
  assert.deepEqual((await frames.next()).value, new Uint8Array(5));
  const next = frames.next();
  await new Promise((resolve) => setTimeout(resolve, 60));
  source.send(0, 0, 0, 0, 1, 7);
  assert.deepEqual((await next).value, new Uint8Array([0, 0, 0, 0, 1, 7]));
  source.send(0, 0, 0, 0);
  await assert.rejects(frames.next(), /did not arrive within 20 ms/);
  assert.ok(source.cancelled);
  assert.equal(receiver.budget.usedBytes, 0);
});

Deno.test("all bodies share one budget: the largest are refused and not read on, a small one is served", async () => {
  const receiver = new BodyReceiver({ maxReceiveBytes: 256 * KIB });
  const sources = Array.from({ length: 12 }, () => new Source());
  const bodies = sources.map(({ stream }) => whole(receiver, post(stream), 1e6).catch((error) => error.code));
  for (const source of sources) {
    for (let sent = 0; sent < 64 * KIB && !source.cancelled; sent += KIB) {
      source.sendZeros(KIB);
      await settled();
    }
    assert.ok(receiver.budget.usedBytes <= 192 * KIB, "a quarter is for other nodes");
  }
  assert.equal((await whole(receiver, post(new Uint8Array(KIB), { "content-length": "1024" }), 1e6)).length, KIB);
  const peer = receiver.frames(
    post(new Uint8Array([0, 0, 0, 4, 0, ...new Array(KIB).fill(0)])),
    { maxBytes: 1e6, peer: true },
    () => {},
  );
  assert.equal((await peer.next()).value.length, KIB + 5);
  for (const source of sources) if (!source.cancelled) source.end();
  const refused = sources.filter(({ cancelled }) => cancelled);
  const ends = await Promise.all(bodies);
  assert.ok(refused.length > 0 && receiver.budget.refused === refused.length);
  assert.equal(ends.filter((end) => end === "busy").length, refused.length);
  assert.equal(receiver.budget.usedBytes, 0);
});

Deno.test("a body that declares more than the budget is refused before it is read", async () => {
  const receiver = new BodyReceiver({ maxReceiveBytes: 256 * KIB });
  const source = new Source();
  const request = post(source.stream, { "content-length": String(200 * KIB) });
  await assert.rejects(whole(receiver, request, 1e6), { code: "too_large", message: /163840 bytes/ });
  assert.equal(request.bodyUsed, false);
});

Deno.test("a message in JSON may be as large as one command needs, and no larger", async () => {
  const { call, decoded } = counting(new BodyReceiver());
  const command = (bytes: number) => JSON.stringify({ commands: [btoa("\0".repeat(bytes))] });
  const large = await call("ClientService/Propose", "json", command(3.2 * 1024 * KIB));
  assert.deepEqual([large.status, decoded.length], [413, 0]);
  assert.match(decodeURIComponent(await large.text()), /the limit is 4194304 bytes/);
  const largest = await call("ClientService/Propose", "json", command(2 * 1024 * KIB));
  await largest.body?.cancel();
  assert.equal(decoded.length, 1);
  const binary = new Uint8Array(5 * 1024 * KIB).fill(0);
  binary.set([0x0a, ...[0, 7, 14, 21].map((bits) => ((binary.length - 5) >>> bits & 127) | (bits < 21 ? 128 : 0))]);
  await (await call("ClientService/Propose", "proto", binary)).body?.cancel();
  assert.equal(decoded.length, 2);
});

Deno.test("large bodies that have arrived leave room for small ones", async () => {
  const receiver = new BodyReceiver({ maxReceiveBytes: 8 * 1024 * KIB });
  const { promise, resolve } = Promise.withResolvers<number>();
  const kind = { maxBytes: 1024 * KIB, peer: false };
  const held = Array.from(
    { length: 8 },
    () => receiver.whole(post(new Uint8Array(1024 * KIB)), kind, () => promise).then(() => "", ({ code }) => code),
  );
  await settled();
  const small = post(new Uint8Array(64 * KIB), { "content-length": String(64 * KIB) });
  assert.equal((await whole(receiver, small, kind.maxBytes)).length, 64 * KIB);
  resolve(7);
  const ends = await Promise.all(held);
  assert.deepEqual([ends.filter((end) => end === "").length, receiver.budget.usedBytes], [5, 0]);
});

Deno.test("a large body for which there is no room is refused before it is read, unless larger ones still arrive", async () => {
  const receiver = new BodyReceiver({ maxReceiveBytes: 1024 * KIB });
  const begin = (kib: number) => {
    const source = new Source();
    const request = post(source.stream, { "content-length": String(kib * KIB) });
    const end = whole(receiver, request, 1e6).then(({ length }) => length, ({ code }) => code);
    return { source, request, end };
  };
  const first = begin(600);
  first.source.sendZeros(500 * KIB);
  await settled();
  const refused = begin(600);
  assert.equal(await refused.end, "busy");
  assert.equal(refused.request.bodyUsed, false);
  // This one may take the place of the one that arrives, which is larger.
  const smaller = begin(300);
  await settled();
  assert.equal(smaller.request.bodyUsed, true);
  for (const { source, kib } of [{ ...first, kib: 100 }, { ...smaller, kib: 300 }]) {
    if (source.cancelled) continue;
    source.sendZeros(kib * KIB);
    source.end();
  }
  assert.ok([await first.end, await smaller.end].includes("busy"));
  assert.equal(receiver.budget.usedBytes, 0);
});

Deno.test("a body in pieces of a byte ends before they cost much", async () => {
  const receiver = new BodyReceiver();
  let pieces = 0;
  const body = () =>
    new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array([0, 0, 1, 0, 0].slice(pieces++ % 5).slice(0, 1))),
    }, { highWaterMark: 0 });
  const many = { code: "invalid_argument", message: /pieces of less than 256 bytes/ };
  await assert.rejects(whole(receiver, post(body()), 1e6), many);
  pieces = 0;
  const frames = receiver.frames(post(body()), { maxBytes: 1e6, peer: false }, () => {});
  await assert.rejects(frames.next(), /pieces of less than 256 bytes/);
  assert.ok(pieces <= 8300, `${pieces} pieces were read`);
  assert.equal(receiver.budget.usedBytes, 0);
});

Deno.test("a stream of small messages lasts, each in a piece of its own", async () => {
  const receiver = new BodyReceiver();
  let left = 20_000;
  const body = new ReadableStream({
    pull: (controller) => left-- > 0 ? controller.enqueue(new Uint8Array([0, 0, 0, 0, 1, 7])) : controller.close(),
  }, { highWaterMark: 0 });
  let frames = 0;
  for await (const _ of receiver.frames(post(body), { maxBytes: 1e6, peer: true, mayPause: true }, () => {})) frames++;
  assert.deepEqual([frames, receiver.budget.usedBytes], [20_000, 0]);
});

Deno.test("a request counts until it is answered", async () => {
  const receiver = new BodyReceiver();
  const { promise, resolve } = Promise.withResolvers<number>();
  const answered = receiver.whole(post(new Uint8Array(KIB)), { maxBytes: KIB, peer: false }, () => promise);
  await settled();
  assert.ok(receiver.budget.usedBytes >= KIB);
  resolve(7);
  assert.equal(await answered, 7);
  assert.equal(receiver.budget.usedBytes, 0);
});

/** Returns a handler whose services count the messages that were decoded for them. */
function counting(receiver: BodyReceiver) {
  const decoded: unknown[] = [];
  const count = (request: unknown): never => {
    decoded.push(request);
    throw new Error("decoded");
  };
  const peer: Partial<RpcService<"peer">> = {
    send: count,
    async *stream(requests) {
      for await (const request of requests) decoded.push(request);
      yield { ack: 1 };
    },
  };
  const client: Partial<RpcService<"client">> = { propose: count };
  const services = { peer: peer as RpcService<"peer">, client: client as RpcService<"client"> };
  const handler = connectFetchHandler(createRaftRoutes(services), { receiver });
  const call = async (method: string, type: string, body: Uint8Array<ArrayBuffer> | string): Promise<Response> => {
    const init = { method: "POST", headers: { "content-type": `application/${type}` }, body };
    const response = await handler(new Request(`http://h/raft.v1.${method}`, init));
    assert.ok(response !== null);
    return response;
  };
  return { call, decoded };
}

Deno.test("messages over a limit are never decoded: unary, streamed, in JSON and by gRPC-Web", async () => {
  const receiver = new BodyReceiver();
  const { call, decoded } = counting(receiver);
  const many = new Uint8Array(2 * 5000);
  for (let at = 0; at < many.length; at += 2) many[at] = 0x0a;
  const framed = new Uint8Array([0, 0, 0, many.length >> 8, many.length & 255, ...many]);
  const json = `{"commands":[${new Array(5000).fill('""').join(",")}]}`;
  const framedJson = new TextEncoder().encode(`\0\0\0${String.fromCharCode(json.length >> 8, json.length & 127)}`);
  assert.equal(framedJson.length, 5);
  for (
    const [method, type, body, status] of [
      ["PeerService/Send", "proto", many, 413],
      ["ClientService/Propose", "proto", many, 413],
      ["ClientService/Propose", "json", json, 413],
      ["PeerService/Stream", "connect+proto", framed, 200],
      ["ClientService/Propose", "grpc-web+proto", framed, 200],
    ] as const
  ) {
    const response = await call(method, type, body);
    const text = `${JSON.stringify([...response.headers])} ${await response.text()}`;
    assert.equal(response.status, status, text);
    assert.match(decodeURIComponent(text), /a message carries at most \d+ (envelopes|commands)/);
  }
  assert.deepEqual(decoded, []);
  assert.equal(receiver.budget.usedBytes, 0);
});

Deno.test("a refused body is answered with the limit and when to try again", async () => {
  const receiver = new BodyReceiver({ maxReceiveBytes: 64 * KIB });
  const others = receiver.budget.open({ refuse: () => {} });
  others.take(40 * KIB);
  others.arrived();
  const { call } = counting(receiver);
  const response = await call("ClientService/Propose", "proto", new Uint8Array(30 * KIB));
  assert.equal(response.status, 429);
  const { code, message } = await response.json();
  assert.equal(code, "resource_exhausted");
  assert.match(message, /fill the limit of 65536 bytes/);
});
