import assert from "node:assert/strict";
import type { Answer } from "../../../../transport/packet/packet_codec.ts";
import { ServedCalls } from "../../../../transport/packet/served_calls.ts";
import { PacketTransport } from "../../../../transport/packet/packet_transport.ts";
import { VirtualHost } from "../../../support/virtual_host.ts";

function served(limits: { readonly maxServed?: number; readonly maxServedBytes?: number } = {}) {
  const host = new VirtualHost();
  const calls = new ServedCalls({ host, maxServed: 2, maxServedBytes: 100, timeoutMs: 500, ...limits });
  const answers: string[] = [];
  const handled: ((answer: Uint8Array) => void)[] = [];
  const signals: AbortSignal[] = [];
  calls.handler = (_method, _request, { signal }) => {
    signals.push(signal);
    return new Promise((resolve) => handled.push(resolve));
  };
  const serve = (caller: string, id: number, bytes = 10) => {
    const answer = ({ id, outcome }: Answer) =>
      answers.push(`${id} ${outcome instanceof Uint8Array ? "done" : outcome.code}`);
    void calls.serve(caller, { type: "call", id, method: "m", request: new Uint8Array(bytes) }, answer);
  };
  return { host, calls, answers, handled, signals, serve };
}

Deno.test("served calls: an answered call leaves no timer, and its bytes and place are free again", async () => {
  const { host, handled, answers, serve } = served();
  for (let round = 0; round < 3; round++) {
    serve("tab:a", 1, 60);
    serve("tab:a", 2, 40);
    serve("tab:a", 3, 0);
    for (const answer of handled.splice(0)) answer(new Uint8Array(1));
    await host.drain();
    assert.deepEqual(answers.splice(0), ["3 busy", "1 done", "2 done"], `round ${round}`);
    assert.equal(host.pendingTimers, 0);
  }
});

Deno.test("served calls: those of a caller that is gone end unanswered, those of others go on", async () => {
  const { host, calls, handled, answers, signals, serve } = served();
  serve("tab:a", 1);
  serve("tab:b", 2);
  calls.lost("tab:a");
  assert.deepEqual(signals.map(({ aborted }) => aborted), [true, false]);
  for (const answer of handled.splice(0)) answer(new Uint8Array(1));
  await host.drain();
  assert.deepEqual(answers, ["2 done"]);
  assert.equal(host.pendingTimers, 0);
});

Deno.test("a packet transport that is closed serves nothing that is given to it later, and keeps no timer", async () => {
  const host = new VirtualHost();
  let receive: (packet: Uint8Array) => void = () => {};
  const sent: string[] = [];
  const transport = new PacketTransport({
    address: "tab:a",
    host,
    channel: {
      start: (arrived) => Promise.resolve(void (receive = arrived)),
      send: (to) => void sent.push(to),
      close: () => Promise.resolve(),
    },
  });
  await transport.start(() => {});
  transport.serve(() => Promise.resolve(new Uint8Array(1)));
  const call = transport.call("tab:a", "m", new Uint8Array(1));
  await host.run(call);
  assert.equal(host.pendingTimers, 0);
  await transport.close();
  transport.serve(() => assert.fail("nothing is served"));
  receive(new Uint8Array(0));
  await assert.rejects(transport.call("tab:a", "m", new Uint8Array(1)), { code: "closed" });
  assert.deepEqual([sent, host.pendingTimers], [[], 0]);
});
