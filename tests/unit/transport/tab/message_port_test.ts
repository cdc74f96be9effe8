import assert from "node:assert/strict";
import { MessagePortHub, MessagePortTransport } from "../../../../transport/tab/mod.ts";
import { until } from "../../../support/tab_transports.ts";

const [A, B, C] = ["tab:a", "tab:b", "tab:c"];

Deno.test("hub: who is removed is gone for the others, and its transport is cut off", async () => {
  const hub = new MessagePortHub();
  const [a, b] = [A, B].map((address) => new MessagePortTransport({ address, ports: [hub.port(address)] }));
  await a!.start(() => {});
  await b!.start(() => {});
  await until(() => a!.peers.includes(B) && b!.peers.includes(A), "both know each other");
  assert.deepEqual(hub.addresses, [A, B]);
  hub.remove(B);
  await until(() => a!.peers.length === 0, "b is gone");
  assert.deepEqual(hub.addresses, [A]);
  const successor = new MessagePortTransport({ address: B, ports: [hub.port(B)] });
  await successor.start(() => {});
  await until(() => a!.peers.includes(B), "the next b is there");
  await Promise.all([a, b, successor].map((transport) => transport!.close()));
  await until(() => hub.addresses.length === 0, "the hub keeps no port of who said goodbye");
  hub.close();
});

Deno.test("where ports tell of their end, who was at the other is gone", async () => {
  const ends: MessagePort[] = [];
  const { port1, port2 } = new MessageChannel();
  const a = new MessagePortTransport({ address: A, ports: [port1] });
  const b = new MessagePortTransport({ address: B, ports: [port2] });
  await a.start(() => {});
  await b.start(() => {});
  await until(() => a.peers.includes(B), "a knows b");
  port1.dispatchEvent(new Event("close"));
  assert.deepEqual(a.peers, []);
  await Promise.all([a.close(), b.close()]);

  const Original = globalThis.MessageChannel;
  globalThis.MessageChannel = class extends Original {
    constructor() {
      super();
      ends.push(this.port1);
    }
  };
  const hub = new MessagePortHub();
  try {
    const [c, d] = [C, B].map((address) => new MessagePortTransport({ address, ports: [hub.port(address)] }));
    await c!.start(() => {});
    await d!.start(() => {});
    await until(() => c!.peers.includes(B), "c knows d");
    ends[1]!.dispatchEvent(new Event("close"));
    await until(() => c!.peers.length === 0, "d is gone");
    assert.deepEqual(hub.addresses, [C]);
    await Promise.all([c!.close(), d!.close()]);
  } finally {
    globalThis.MessageChannel = Original;
    hub.close();
  }
});

Deno.test("over a port, who comes back without a goodbye is answered on its new way", async () => {
  const a = new MessagePortTransport({ address: A });
  await a.start(() => {});
  const hello = { raftCore: 1, to: "", from: B, kind: "hello", locked: false, answer: true };
  const ports: MessagePort[] = [];
  for (const session of ["first", "second"]) {
    const { port1, port2 } = new MessageChannel();
    const kinds: string[] = [];
    port2.onmessage = ({ data }) => void kinds.push(data.kind);
    a.connect(port1);
    port2.postMessage({ ...hello, session });
    await until(() => kinds.includes("parcel"), "a question comes on the way of this session");
    ports.push(port2);
  }
  await a.close();
  for (const port of ports) port.close();
});

Deno.test("hub: a second port for an address takes the place of the first", async () => {
  const hub = new MessagePortHub();
  const departed: string[] = [];
  const onDeparted = (address: string): void => void departed.push(address);
  const a = new MessagePortTransport({ address: A, ports: [hub.port(A)], onDeparted });
  const first = new MessagePortTransport({ address: B, ports: [hub.port(B)] });
  for (const transport of [a, first]) await transport.start(() => {});
  await until(() => a.peers.includes(B), "the first is there");
  const port = hub.port(B);
  await until(() => departed.length === 1, "the first is gone");
  assert.deepEqual(a.peers, []);
  const second = new MessagePortTransport({ address: B, ports: [port] });
  await second.start(() => {});
  await until(() => a.peers.includes(B), "the second is there");
  await first.close();
  second.serve(() => Promise.resolve(new Uint8Array([2])));
  assert.deepEqual(await a.call(B, "x/y", new Uint8Array(0)), new Uint8Array([2]));
  await Promise.all([a.close(), second.close()]);
  hub.close();
});

Deno.test("over ports packets are moved, not copied", async () => {
  const { port1, port2 } = new MessageChannel();
  const lengths: number[] = [];
  const post = port1.postMessage.bind(port1);
  Object.defineProperty(port1, "postMessage", {
    value(message: { packet?: Uint8Array | null }, transfer: Transferable[] = []) {
      post(message, transfer);
      if (message.packet) lengths.push(message.packet.length);
    },
  });
  const a = new MessagePortTransport({ address: A, ports: [port1] });
  const b = new MessagePortTransport({ address: B, ports: [port2] });
  for (const transport of [a, b]) await transport.start(() => {});
  b.serve(() => Promise.resolve(new Uint8Array(1)));
  await until(() => a.peers.includes(B), "a knows b");
  await a.call(B, "x/y", new Uint8Array(1000));
  assert.deepEqual(lengths, [0]);
  await Promise.all([a.close(), b.close()]);
});

Deno.test("hub: nobody speaks for another", async () => {
  const hub = new MessagePortHub();
  const a = new MessagePortTransport({ address: A, ports: [hub.port(A)] });
  await a.start(() => {});
  const port = hub.port(B);
  const hello = { raftCore: 1, to: "", kind: "hello", session: "s", locked: false, answer: true };
  port.postMessage("text");
  port.postMessage({ ...hello, from: C });
  port.postMessage({ ...hello, from: B });
  port.postMessage({ ...hello, from: C, to: A, kind: "parcel", packet: null, ask: 1 });
  port.postMessage({ ...hello, from: B, to: A, kind: "parcel", packet: null, ask: 1 });
  await until(() => a.peers.length > 0, "the honest hello arrives");
  assert.deepEqual(a.peers, [B]);
  port.close();
  await a.close();
  hub.close();
});

Deno.test("ports that come before and after the start are both ways to others", async () => {
  const a = new MessagePortTransport({ address: A });
  const { port1: toB, port2: ofB } = new MessageChannel();
  const { port1: toC, port2: ofC } = new MessageChannel();
  a.connect(toB);
  const b = new MessagePortTransport({ address: B, ports: [ofB] });
  const c = new MessagePortTransport({ address: C, ports: [ofC] });
  for (const transport of [a, b, c]) await transport.start(() => {});
  a.connect(toC);
  await until(() => a.peers.length === 2, "a knows both");
  b.serve(() => Promise.resolve(new Uint8Array([2])));
  c.serve(() => Promise.resolve(new Uint8Array([3])));
  assert.deepEqual(await a.call(B, "x/y", new Uint8Array(0)), new Uint8Array([2]));
  assert.deepEqual(await a.call(C, "x/y", new Uint8Array(0)), new Uint8Array([3]));
  const { port1, port2 } = new MessageChannel();
  b.connect(port1);
  c.connect(port2);
  await until(() => b.peers.includes(C) && c.peers.includes(B), "those who started long ago meet");
  await Promise.all([a, b, c].map((transport) => transport.close()));
  const late = new MessageChannel();
  a.connect(late.port1);
  late.port2.close();
});

Deno.test("what a listener throws is reported, and keeps nobody from being heard", async () => {
  const reported: string[] = [];
  const report = (event: ErrorEvent): void => {
    event.preventDefault();
    reported.push(event.error.message);
  };
  globalThis.addEventListener("error", report);
  try {
    const fail = (): never => {
      throw new Error("not now");
    };
    const a = new MessagePortTransport({ address: A, onArrived: fail, onDeparted: fail });
    await a.start(() => {});
    const hello = { raftCore: 1, to: "", from: B, kind: "hello", locked: false, answer: true };
    for (const session of ["first", "second"]) {
      const { port1, port2 } = new MessageChannel();
      const kinds: string[] = [];
      port2.onmessage = ({ data }) => void kinds.push(data.kind);
      a.connect(port1);
      port2.postMessage({ ...hello, session });
      port2.postMessage({ ...hello, session, kind: "parcel", packet: null, ask: 1 });
      await until(() => kinds.includes("ack"), `the ${session} life is heard`);
    }
    await a.close();
    assert.deepEqual(reported, ["not now", "not now", "not now"]);
  } finally {
    globalThis.removeEventListener("error", report);
  }
});
