import assert from "node:assert/strict";
import { RaftError } from "../../../../lib/errors.ts";
import { SlicedBody } from "../../../../transport/connect/sliced_body.ts";

const KIB = 1024;

/** Chunks that count how many were taken; after the last it fails with `failure`, if that is set. */
class Source {
  taken = 0;
  ended = false;
  failure: Error | null = null;
  readonly #sizes: readonly number[];

  constructor(...sizes: number[]) {
    this.#sizes = sizes;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (const size of this.#sizes) {
        this.taken++;
        yield await Promise.resolve(new Uint8Array(size));
        if (this.failure !== null) break;
      }
      if (this.failure !== null) yield new TextEncoder().encode(this.failure.message);
    } finally {
      this.ended = true;
    }
  }
}

Deno.test("a body hands over slices, and takes the next chunk only once the client has read the one before", async () => {
  const source = new Source(40 * KIB, 10);
  const reader = new SlicedBody().stream(source.chunks()).getReader();
  const read = async () => (await reader.read()).value?.length;
  assert.deepEqual([await read(), await read(), source.taken], [16 * KIB, 16 * KIB, 1]);
  assert.deepEqual([await read(), source.taken], [8 * KIB, 1]);
  assert.deepEqual([await read(), await read(), source.ended], [10, undefined, true]);
});

Deno.test("a body that many clients read lets other work run in between", async () => {
  const readers = Array.from({ length: 100 }, () => new SlicedBody().stream(new Source(64 * KIB).chunks()).getReader());
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await Promise.all(readers.map(async (reader) => {
    let bytes = 0;
    for (let next = await reader.read(); !next.done; next = await reader.read()) bytes += next.value.length;
    assert.equal(bytes, 64 * KIB);
  }));
  clearInterval(timer);
  // 6.4 MB in turns of 256 KiB.
  assert.ok(turns >= 5, `${turns} turns`);
});

Deno.test("a cut body tells the reason after a whole chunk, and breaks off inside one", async () => {
  const reason = new RaftError("busy", "too slow");
  const [whole, inside] = [new Source(10, 10), new Source(20 * KIB, 10)];
  const [first, second] = [new SlicedBody(), new SlicedBody()];
  const [told, cut] = [first.stream(whole.chunks()).getReader(), second.stream(inside.chunks()).getReader()];
  await told.read();
  await cut.read();
  assert.ok(first.stalledMs > 0);
  assert.deepEqual([first.look(), first.look(), second.look()], [1, 2, 1]);
  whole.failure = inside.failure = reason;
  await Promise.all([first.cut(reason), second.cut(reason)]);
  assert.equal(new TextDecoder().decode((await told.read()).value), "too slow");
  assert.equal((await told.read()).done, true);
  await assert.rejects(cut.read(), { code: "busy" });
  assert.deepEqual([whole.ended, inside.ended, whole.taken, inside.taken], [true, true, 1, 1]);
});

Deno.test("a chunk out of turn is sent to a client that waits, never into another chunk", async () => {
  const next = Promise.withResolvers<Uint8Array>();
  const body = new SlicedBody();
  const reader = body.stream((async function* () {
    yield await next.promise;
  })()).getReader();
  const idle = new Uint8Array(1);
  const first = reader.read();
  body.sendIdle(idle);
  assert.equal((await first).value, idle);
  // One of them at most waits to be read.
  for (let i = 0; i < 3; i++) body.sendIdle(idle);
  assert.equal((await reader.read()).value, idle);
  next.resolve(new Uint8Array(20 * KIB));
  assert.equal((await reader.read()).value?.length, 16 * KIB);
  body.sendIdle(idle);
  assert.equal((await reader.read()).value?.length, 4 * KIB);
  assert.equal((await reader.read()).done, true);
});

Deno.test("a client that goes away ends the source", async () => {
  const source = new Source(10, 10);
  let gone: unknown;
  const stream = new SlicedBody().stream(source.chunks(), { cancel: (reason) => gone = reason });
  const reader = stream.getReader();
  await reader.read();
  await reader.cancel("gone");
  assert.deepEqual([gone, source.ended, source.taken], ["gone", true, 1]);
});
