import assert from "node:assert/strict";
import { Credit } from "../../../../transport/packet/credit.ts";

Deno.test("credit: what isn't acknowledged is bounded, in messages and in bytes", () => {
  const byMessages = new Credit({ maxMessages: 3, maxBytes: 100 }, 0);
  assert.deepEqual([1, 1, 1, 1].map((size) => byMessages.take(size)), [1, 0, 0, null]);
  const byBytes = new Credit({ maxMessages: 10, maxBytes: 100 }, 0);
  assert.deepEqual([50, 51, 50, 1].map((size) => byBytes.take(size)), [1, null, 0, null]);
});

Deno.test("credit: an acknowledgement is for everything up to the one that asked, and the next one asks again", () => {
  const credit = new Credit({ maxMessages: 6, maxBytes: 100 }, 41);
  assert.deepEqual([10, 20].map((size) => credit.take(size)), [42, 0]);
  assert.deepEqual(credit.inFlight, { messages: 2, bytes: 30 });
  assert.equal(credit.acknowledge(42), 0);
  assert.deepEqual(credit.inFlight, { messages: 1, bytes: 20 });
  assert.equal(credit.take(1), 43);
  assert.equal(credit.acknowledge(43), 0);
  assert.deepEqual(credit.inFlight, { messages: 0, bytes: 0 });
});

Deno.test("credit: a number that nobody asked with, and one that came before, count for nothing", () => {
  const credit = new Credit({ maxMessages: 6, maxBytes: 100 }, 0);
  credit.take(1);
  assert.equal(credit.acknowledge(2), 0);
  assert.equal(credit.inFlight.messages, 1);
  credit.acknowledge(1);
  credit.take(1);
  credit.acknowledge(1);
  assert.equal(credit.inFlight.messages, 1);
});

Deno.test("credit: when so much follows the one that asked that no more fits, it asks without a message", () => {
  const credit = new Credit({ maxMessages: 100, maxBytes: 100 }, 0);
  assert.deepEqual([1, 99].map((size) => credit.take(size)), [1, 0]);
  assert.equal(credit.acknowledge(1), 2);
  assert.equal(credit.take(50), null);
  assert.equal(credit.acknowledge(2), 0);
  assert.equal(credit.take(50), 3);
});

Deno.test("credit: a message over the limit goes alone", () => {
  const credit = new Credit({ maxMessages: 100, maxBytes: 100 }, 0);
  assert.equal(credit.take(1000), 1);
  assert.equal(credit.take(1), null);
  credit.acknowledge(1);
  assert.equal(credit.take(1), 2);
  assert.equal(credit.take(1000), null);
});
