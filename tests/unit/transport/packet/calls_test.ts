import assert from "node:assert/strict";
import { RaftError } from "../../../../lib/errors.ts";
import { systemHost } from "../../../../lib/host.ts";
import { RaftNode } from "../../../../lib/node/raft_node.ts";
import { membershipOf } from "../../../../lib/raft/membership.ts";
import { Coordinator } from "../../../../lib/client/coordinator.ts";
import { decodeGetAnswer, encodeGet, encodePut } from "../../../../lib/kv/commands.ts";
import { KeyValue } from "../../../../lib/kv/key_value.ts";
import { MemoryStorage } from "../../../../storage/memory.ts";
import { serveNode, tabCalls, unary } from "../../../../transport/packet/methods.ts";
import { encodePacket } from "../../../../transport/packet/packet_codec.ts";
import { PacketTransport } from "../../../../transport/packet/packet_transport.ts";
import { ClientService } from "../../../../transport/wire/gen/raft/v1/client_pb.ts";
import { addresses, startThree } from "../../../support/tab_cluster.ts";
import { until } from "../../../support/tab_transports.ts";
import { Post } from "./memory_channel.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const METHOD = "test.Echo/Echo";

function isRaftError(code: string, outcome: string): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof RaftError, String(error));
    assert.deepEqual([error.code, error.outcome], [code, outcome], error.message);
    return true;
  };
}

/** A caller and a callee. */
async function couple(options: Parameters<Post["open"]>[1] = {}) {
  const post = new Post();
  return { post, caller: await post.open("tab:a", options), called: await post.open("tab:b", options) };
}

/** A node that leads a cluster of its own. */
async function soleNode(transport: PacketTransport, id: string): Promise<RaftNode> {
  const { address } = transport;
  const node = await RaftNode.start({
    id,
    address,
    transport,
    storage: new MemoryStorage(),
    stateMachine: new KeyValue(),
    bootstrap: { clusterId: "c", membership: membershipOf({ voters: [{ id, address, incarnation: "" }] }) },
  });
  transport.serve(serveNode(node));
  await node.leadership();
  return node;
}

Deno.test("calls: proposals, queries and status of a node, remote and local", async () => {
  const post = new Post();
  const served = new PacketTransport({ address: "tab:n1", channel: post.channel("tab:n1") });
  await using node = await soleNode(served, "n1");
  await using caller = await post.open("tab:page");
  for (const { client } of [caller, served]) {
    const results = await client.propose("tab:n1", [
      encodePut(bytes("k"), bytes("v")),
      encodePut(bytes("l"), bytes("w")),
    ]);
    assert.ok(results.length === 2 && results.every(({ ok }) => ok));
    const { result, appliedIndex } = await client.read("tab:n1", encodeGet(bytes("l")));
    const answer = decodeGetAnswer(result);
    assert.ok(answer.ok && answer.entry !== null);
    assert.deepEqual([new TextDecoder().decode(answer.entry.value), answer.entry.version], ["w", appliedIndex]);
    const status = await client.status("tab:n1");
    assert.deepEqual({ ...status, uptimeMs: 0 }, { ...node.status(), uptimeMs: 0 });
  }
});

Deno.test("calls: a node's refusal arrives complete, for a call and for each command", async () => {
  const { caller, called } = await couple();
  const error = new RaftError("not_leader", "n2 leads", {
    outcome: "rejected",
    hint: "Ask n2.",
    leader: { id: "n2", address: "tab:n2" },
  });
  called.serve(serveNode({
    propose: (command) =>
      command.length === 0 ? Promise.reject(error) : Promise.resolve({ index: 1, term: 1, result: command }),
    read: () => Promise.reject(error),
    status: () => {
      throw new Error("an internal detail");
    },
  }));
  const told = (thrown: unknown): true => {
    assert.ok(thrown instanceof RaftError);
    const { code, outcome, message, hint, leader } = thrown;
    assert.deepEqual({ code, outcome, message, hint, leader }, {
      code: "not_leader",
      outcome: "rejected",
      message: "n2 leads",
      hint: "Ask n2.",
      leader: { id: "n2", address: "tab:n2" },
    });
    return true;
  };
  await assert.rejects(caller.client.read("tab:b", bytes("q")), told);
  const [first, second] = await caller.client.propose("tab:b", [new Uint8Array(0), bytes("x")]);
  assert.ok(first !== undefined && !first.ok && told(first.error));
  assert.deepEqual(second, { ok: true, index: 1, result: bytes("x") });
  await assert.rejects(caller.client.status("tab:b"), (thrown) => {
    assert.ok(thrown instanceof RaftError && !thrown.message.includes("business"));
    return isRaftError("internal", "unknown")(thrown);
  });
});

Deno.test("calls: a node that serves no calls, and unknown methods, are unsupported; methods can be added", async () => {
  const { caller, called } = await couple();
  await assert.rejects(caller.client.status("tab:b"), isRaftError("unsupported", "rejected"));
  const node = {
    propose: () => Promise.reject(),
    read: () => Promise.reject(),
    status: () => Promise.reject() as never,
  };
  called.serve(
    serveNode(node, unary(ClientService.method.read, ({ query }) => ({ result: query, appliedIndex: 7n }))),
  );
  await assert.rejects(caller.call("tab:b", METHOD, bytes("x")), isRaftError("unsupported", "rejected"));
  await assert.rejects(caller.call("tab:b", "toString", bytes("x")), isRaftError("unsupported", "rejected"));
  const { result } = await tabCalls(caller, "tab:b")(ClientService.method.read, { query: bytes("q") });
  assert.deepEqual(result, bytes("q"));
  const malformed = caller.call("tab:b", "raft.v1.ClientService/Read", new Uint8Array([0xff]));
  await assert.rejects(malformed, isRaftError("invalid_argument", "rejected"));
});

Deno.test("calls: too many commands are refused, and an answer with too few results leaves all outcomes unknown", async () => {
  const { caller, called } = await couple();
  const node = {
    propose: () => Promise.reject(),
    read: () => Promise.reject(),
    status: () => Promise.reject() as never,
  };
  called.serve(serveNode(node));
  const many = Array.from({ length: 4097 }, () => bytes("x"));
  await assert.rejects(caller.client.propose("tab:b", many), isRaftError("too_large", "rejected"));
  called.serve(serveNode(node, unary(ClientService.method.propose, () => ({ results: [] }))));
  await assert.rejects(caller.client.propose("tab:b", [bytes("x")]), isRaftError("internal", "unknown"));
  called.serve(() => Promise.resolve(new Uint8Array([0xff])));
  await assert.rejects(caller.client.propose("tab:b", [bytes("x")]), isRaftError("internal", "unknown"));
});

Deno.test("calls: without a node at the address the outcome is rejected, after a departure it is unknown", async () => {
  const { post, caller, called } = await couple();
  await assert.rejects(caller.call("tab:nobody", METHOD, bytes("x")), isRaftError("unreachable", "rejected"));
  let signal: AbortSignal | undefined;
  called.serve((_method, _request, options) => {
    signal = options.signal;
    return new Promise(() => {});
  });
  const call = caller.call("tab:b", METHOD, bytes("x"));
  await until(() => signal !== undefined, "the call arrives");
  post.lose("tab:b");
  await assert.rejects(call, isRaftError("unreachable", "unknown"));
});

Deno.test("calls: a call ends when its caller departs", async () => {
  const { post, caller, called } = await couple();
  let signal: AbortSignal | undefined;
  called.serve((_method, _request, options) => {
    signal = options.signal;
    return new Promise(() => {});
  });
  caller.call("tab:b", METHOD, bytes("x")).catch(() => {});
  await until(() => signal !== undefined, "the call arrives");
  post.lose("tab:a");
  assert.ok(signal?.aborted);
  await caller.close();
});

Deno.test("calls: a signal before the call rejects it, one during it leaves the outcome unknown", async () => {
  const { post, caller } = await couple();
  post.hanging.add("tab:b");
  await assert.rejects(
    caller.call("tab:b", METHOD, bytes("x"), { signal: AbortSignal.abort() }),
    isRaftError("aborted", "rejected"),
  );
  const controller = new AbortController();
  const aborted = caller.call("tab:b", METHOD, bytes("x"), { signal: controller.signal });
  controller.abort();
  await assert.rejects(aborted, isRaftError("aborted", "unknown"));
  const late = caller.call("tab:b", METHOD, bytes("x"), { signal: AbortSignal.timeout(1) });
  await assert.rejects(late, isRaftError("timeout", "unknown"));
  assert.equal(caller.counts.pendingCalls, 0);
});

Deno.test("calls: an unanswered call without a signal times out on both sides", async () => {
  const { post, caller, called } = await couple({ callTimeoutMs: 20 });
  let reason: unknown;
  called.serve((_method, _request, { signal }) => {
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        reason = signal.reason;
        reject(signal.reason);
      });
    });
  });
  await assert.rejects(caller.call("tab:b", METHOD, bytes("x")), isRaftError("timeout", "unknown"));
  await until(() => reason !== undefined, "the node is notified that no caller waits");
  isRaftError("timeout", "unknown")(reason);
  post.hanging.add("tab:b");
  await assert.rejects(caller.call("tab:b", METHOD, bytes("x")), isRaftError("timeout", "unknown"));
});

Deno.test("calls: pending calls are bounded on both sides", async () => {
  const { caller, called } = await couple({ maxPendingCalls: 3, maxServedCalls: 2 });
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  let arrived = 0;
  called.serve(() => (arrived++, promise));
  const calls = [1, 2].map(() => caller.call("tab:b", METHOD, bytes("x")));
  await until(() => arrived === 2, "both calls arrive");
  const third = caller.call("tab:b", METHOD, bytes("x"));
  await assert.rejects(caller.call("tab:b", METHOD, bytes("x")), isRaftError("busy", "rejected"));
  await assert.rejects(third, isRaftError("busy", "rejected"));
  resolve(bytes("done"));
  assert.deepEqual(await Promise.all(calls), [bytes("done"), bytes("done")]);
});

Deno.test("calls: the requests that a node answers at once are bounded in bytes", async () => {
  const { caller, called } = await couple({ maxServedBytes: 100 });
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  let arrived = 0;
  called.serve(() => (arrived++, promise));
  // A single one may be larger.
  const large = caller.call("tab:b", METHOD, new Uint8Array(200));
  await until(() => arrived === 1, "it arrives");
  await assert.rejects(caller.call("tab:b", METHOD, bytes("x")), isRaftError("busy", "rejected"));
  resolve(bytes("done"));
  assert.deepEqual(await large, bytes("done"));
  assert.deepEqual(await caller.call("tab:b", METHOD, bytes("x")), bytes("done"));
});

Deno.test("calls: requests and answers over the size limit are refused", async () => {
  const { caller, called } = await couple({ maxMessageBytes: 100 });
  called.serve(() => Promise.resolve(new Uint8Array(101)));
  await assert.rejects(caller.call("tab:b", METHOD, new Uint8Array(101)), isRaftError("too_large", "rejected"));
  await assert.rejects(caller.call("tab:b", METHOD, new Uint8Array(100)), isRaftError("too_large", "unknown"));
});

Deno.test("calls: close ends pending calls and refuses new ones", async () => {
  const { caller, called } = await couple();
  let signal: AbortSignal | undefined;
  called.serve((_method, _request, options) => {
    signal = options.signal;
    return new Promise(() => {});
  });
  const call = caller.call("tab:b", METHOD, bytes("x"));
  await until(() => signal !== undefined, "the call arrives");
  const ended = assert.rejects(call, isRaftError("closed", "unknown"));
  await caller.close();
  await ended;
  await called.close();
  assert.ok(signal?.aborted);
  await assert.rejects(caller.call("tab:b", METHOD, bytes("x")), isRaftError("closed", "rejected"));
  await assert.rejects(caller.start(() => {}), isRaftError("closed", "rejected"));
});

Deno.test("calls: an answer counts only if it comes from the address that was called", async () => {
  const { post, caller, called } = await couple({ host: { ...systemHost(), random: () => 0.5 } });
  const forge = (from: string, id: number): void => {
    const body = { type: "answer" as const, id, outcome: bytes("forged") };
    post.deliver("tab:a", encodePacket({ to: "tab:a", from, body }));
  };
  called.serve(() => {
    // The ids of calls begin after the random number.
    for (const id of [0x8000_0000, 0x8000_0001]) forge("tab:c", id);
    return Promise.resolve(bytes("true"));
  });
  assert.deepEqual(await caller.call("tab:b", METHOD, bytes("x")), bytes("true"));
  called.serve(() => {
    forge("tab:b", 0x8000_0002);
    return Promise.resolve(bytes("true"));
  });
  assert.deepEqual(await caller.call("tab:b", METHOD, bytes("x")), bytes("forged"), "the test forges what would count");
});

Deno.test("packets that are malformed are dropped and counted, and the next one is read", async () => {
  const told: string[] = [];
  const { post, caller, called } = await couple({ onMalformed: ({ code }) => told.push(code) });
  called.serve((_method, request) => Promise.resolve(request));
  post.deliver("tab:b", new Uint8Array([0xff, 0xff]));
  post.deliver("tab:b", new Uint8Array(0));
  assert.deepEqual([called.counts.malformed, told], [2, ["invalid_argument", "invalid_argument"]]);
  assert.deepEqual(await caller.call("tab:b", METHOD, bytes("x")), bytes("x"));
});

Deno.test("a Coordinator over calls finds the leader, and the next one when it closes", async () => {
  const post = new Post();
  const nodes = await startThree((address) => new PacketTransport({ address, channel: post.channel(address) }));
  const page = await post.open("tab:page");
  const coordinator = new Coordinator({
    endpoints: addresses,
    transport: page.client,
    timeoutMs: 20_000,
  });
  try {
    for (const value of ["one", "two"]) {
      await coordinator.propose(encodePut(bytes("k"), bytes(value)));
      const { result } = await coordinator.read(encodeGet(bytes("k")));
      const answer = decodeGetAnswer(result);
      assert.ok(answer.ok && answer.entry !== null);
      assert.equal(new TextDecoder().decode(answer.entry.value), value);
      if (value === "two") break;
      const { id } = await coordinator.leader();
      await nodes.find((node) => node.id === id)!.close();
    }
  } finally {
    await coordinator.close();
    await page.close();
    for (const node of nodes) await node.close();
  }
});
