import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "../../../../lib/bytes.ts";
import { PieceReader } from "../../../../transport/connect/bodies.ts";

const KIB = 1024;
const CONTENT = Uint8Array.from({ length: 300 * KIB }, (_, at) => at % 251);

/** Returns a body that fills buffers, and the sizes of those that it was given. */
function fillable(
  ...arrivals: readonly number[]
): { readonly body: ReadableStream<Uint8Array>; readonly asked: number[] } {
  const asked: number[] = [];
  const lengths = [...arrivals];
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    type: "bytes",
    pull(controller) {
      const request = (controller as ReadableByteStreamController).byobRequest!;
      const view = request.view as Uint8Array;
      asked.push(view.length);
      const length = Math.min(view.length, lengths.shift() ?? Infinity, CONTENT.length - at);
      view.set(CONTENT.subarray(at, at + length));
      at += length;
      if (length === 0) controller.close();
      request.respond(length);
    },
  } as UnderlyingByteSource as unknown as UnderlyingDefaultSource<Uint8Array>);
  return { body, asked };
}

async function collect(reader: PieceReader): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (let piece = await reader.read(); piece !== null; piece = await reader.read()) pieces.push(piece);
  return concatBytes(pieces);
}

test("a body that fills buffers is asked for little at first, and for more while it has much", async () => {
  const { body, asked } = fillable();
  assert.deepEqual(await collect(new PieceReader(body)), CONTENT);
  assert.deepEqual(asked.slice(0, 8), [2, 4, 8, 16, 32, 64, 64, 64].map((kib) => kib * KIB));
});

test("a body that brings little is asked for little again", async () => {
  const { body, asked } = fillable(2 * KIB, 4 * KIB, 8 * KIB, 100, 100, 100, 100, 100);
  const reader = new PieceReader(body);
  for (let piece = 0; piece < 8; piece++) await reader.read();
  assert.equal(asked.at(-1), 2 * KIB);
});

test("a body that brings its own buffers is read as it arrives", async () => {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < CONTENT.length; at += 50_000) controller.enqueue(CONTENT.slice(at, at + 50_000));
      controller.close();
    },
  });
  assert.deepEqual(await collect(new PieceReader(body)), CONTENT);
});

test("a body's failure is passed on, and its other side learns of the end of reading", async () => {
  for (const type of ["bytes", undefined] as const) {
    let reason: unknown = "none";
    const source = { type, pull: (): void => {}, cancel: () => void (reason = "cancelled") };
    const stopped = new ReadableStream<Uint8Array>(source as unknown as UnderlyingDefaultSource<Uint8Array>);
    const reader = new PieceReader(stopped);
    const read = reader.read();
    reader.cancel();
    assert.equal(await read, null);
    assert.equal(reason, "cancelled");
    const failing = { type, pull: () => Promise.reject(new Error("gone")) };
    const failed = new PieceReader(
      new ReadableStream<Uint8Array>(failing as unknown as UnderlyingDefaultSource<Uint8Array>),
    );
    await assert.rejects(() => failed.read(), /gone/);
  }
});
