/** The inputs of the fuzzer: what a seed means, and what no input may be. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { METHODS } from "../../fuzz/call_inputs.ts";
import { faultyLines } from "../../fuzz/guard.ts";
import { inputOf, KINDS } from "../../fuzz/inputs.ts";
import { HeldSockets } from "../../fuzz/raw_socket.ts";
import { World } from "../../fuzz/world.ts";

/** Sends an input to a server that answers nothing; returns all bytes that arrive, connection by connection. */
async function bytesOf(seed: number, number: number): Promise<string> {
  const arrived: number[][] = [];
  const quiet = Promise.withResolvers<void>();
  // The first byte may be late on a busy machine; then the rest follows soon.
  let timer = setTimeout(quiet.resolve, 10_000);
  const server = createServer((socket) => {
    const bytes: number[] = [];
    arrived.push(bytes);
    socket.on("error", () => {});
    socket.on("data", (chunk: Uint8Array) => {
      bytes.push(...chunk);
      clearTimeout(timer);
      timer = setTimeout(quiet.resolve, 700);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const target = { id: "n1", address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  const held = new HeldSockets(100);
  const world = new World([target, { id: "n2", address: target.address }, { id: "n3", address: target.address }]);
  const sent = inputOf(seed, number, 3).send({ world, target, held });
  await quiet.promise;
  held.closeAll();
  server.close();
  await sent;
  // Connections that are opened at once arrive in any order, and each server has a port of its own.
  const texts = arrived.map((bytes) => Buffer.from(bytes).toString("latin1"));
  return texts.map((text) => text.replaceAll(new URL(target.address).port, "PORT")).sort().join();
}

Deno.test("a seed and a number always give the same bytes", async () => {
  const numbers = Array.from({ length: 60 }, (_, number) => number)
    .filter((number) => !/aborted|unread/.test(inputOf(5, number, 3).what));
  const same = async (number: number): Promise<void> => {
    const [first, again] = await Promise.all([bytesOf(5, number), bytesOf(5, number)]);
    assert.equal(first, again, `input ${number}: ${inputOf(5, number, 3).what}`);
  };
  // A few at a time, so that none waits long for the processor.
  while (numbers.length > 0) await Promise.all(numbers.splice(0, 10).map(same));
});

Deno.test("other seeds and other numbers give other inputs", () => {
  const whats = (seed: number) => Array.from({ length: 50 }, (_, number) => inputOf(seed, number, 3).what).join();
  assert.notEqual(whats(1), whats(2));
  assert.equal(whats(1), whats(1));
});

Deno.test("every kind of input, every method, and every node comes up", () => {
  const inputs = Array.from({ length: 3000 }, (_, number) => inputOf(1, number, 3));
  for (const [, kind] of KINDS) assert.ok(inputs.some((input) => input.kind === kind), kind);
  for (const method of METHODS) {
    assert.ok(inputs.some(({ what }) => what.startsWith(`${method.parent.name}.${method.name},`)), method.name);
  }
  for (const to of [0, 1, 2]) assert.ok(inputs.some((input) => input.to === to));
});

Deno.test("few inputs may cost a leader", () => {
  const disruptive = Array.from({ length: 3000 }, (_, number) => inputOf(1, number, 3)).filter((input) =>
    input.disruptive
  );
  assert.ok(disruptive.length > 50 && disruptive.length < 600, String(disruptive.length));
});

Deno.test("lines of faults are told from others", () => {
  const faults = [
    "12:00:00.000Z error Stopped: a rule of the protocol is broken: only a candidate can become leader node=n1",
    "12:00:00.000Z error Unexpected error: TypeError: x is undefined",
    "    at step (file:///server/main.ts:12:3)",
    "error: Uncaught (in promise) TypeError: x",
    '{"level":"error","code":"internal"}',
    "# Fatal JavaScript out of memory",
  ];
  const others = [
    "12:00:00.000Z info  Follows n2 node=n3 term=3",
    "12:00:00.000Z warn  A message of n2 is refused: its term is 9 node=n1",
    "12:00:00.000Z info  Listening on http://127.0.0.1:7001 node=n1",
  ];
  assert.deepEqual(faultyLines([...others, ...faults].join("\n")), faults);
});
