import assert from "node:assert/strict";
import { SendWindow } from "../../../../transport/packet/send_window.ts";

Deno.test("send window: unacknowledged data are bounded, in messages and in bytes", () => {
  const byMessages = new SendWindow({ maxMessages: 3, maxBytes: 100 }, 0);
  assert.deepEqual([1, 1, 1, 1].map((size) => byMessages.take(size)), [1, 0, 0, null]);
  const byBytes = new SendWindow({ maxMessages: 10, maxBytes: 100 }, 0);
  assert.deepEqual([50, 51, 50, 1].map((size) => byBytes.take(size)), [1, null, 0, null]);
});

Deno.test("send window: an acknowledgement covers everything up to its request, and another is requested for the rest", () => {
  const window = new SendWindow({ maxMessages: 6, maxBytes: 100 }, 41);
  assert.deepEqual([10, 20].map((size) => window.take(size)), [42, 0]);
  assert.deepEqual(window.inflight, { messages: 2, bytes: 30 });
  assert.equal(window.acknowledge(42), 43);
  assert.deepEqual(window.inflight, { messages: 1, bytes: 20 });
  assert.equal(window.take(1), 0);
  assert.equal(window.acknowledge(43), 44);
  assert.equal(window.acknowledge(44), 0);
  assert.deepEqual(window.inflight, { messages: 0, bytes: 0 });
  assert.equal(window.take(1), 45);
});

Deno.test("send window: acknowledgements that were not requested, and repeated ones, are ignored", () => {
  const window = new SendWindow({ maxMessages: 6, maxBytes: 100 }, 0);
  window.take(1);
  assert.equal(window.acknowledge(2), 0);
  assert.equal(window.inflight.messages, 1);
  window.acknowledge(1);
  window.take(1);
  window.acknowledge(1);
  assert.equal(window.inflight.messages, 1);
});

Deno.test("send window: when the window is full, an acknowledgement is requested without a message", () => {
  const window = new SendWindow({ maxMessages: 100, maxBytes: 100 }, 0);
  assert.deepEqual([1, 99].map((size) => window.take(size)), [1, 0]);
  assert.equal(window.acknowledge(1), 2);
  assert.equal(window.take(50), null);
  assert.equal(window.acknowledge(2), 0);
  assert.equal(window.take(50), 3);
});

Deno.test("send window: once all was read there is room for any message, however small the last one was", () => {
  const window = new SendWindow({ maxMessages: 100, maxBytes: 100 }, 0);
  assert.deepEqual([1, 2].map((size) => window.take(size)), [1, 0]);
  assert.equal(window.acknowledge(1), 2);
  assert.equal(window.acknowledge(2), 0);
  assert.equal(window.take(1000), 3);
});

Deno.test("send window: a message over the limit goes alone", () => {
  const window = new SendWindow({ maxMessages: 100, maxBytes: 100 }, 0);
  assert.equal(window.take(1000), 1);
  assert.equal(window.take(1), null);
  window.acknowledge(1);
  assert.equal(window.take(1), 2);
  assert.equal(window.take(1000), null);
});
