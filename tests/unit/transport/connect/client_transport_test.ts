import assert from "node:assert/strict";
import { createClient, type ServiceImpl } from "@connectrpc/connect";
import type { ClientTransport } from "../../../../lib/client/client_transport.ts";
import { RaftError } from "../../../../lib/errors.ts";
import type { NodeStatus } from "../../../../lib/node/types.ts";
import { membershipOf } from "../../../../lib/raft/membership.ts";
import { baseUrl } from "../../../../transport/wire/address.ts";
import { createConnectClientTransport } from "../../../../transport/connect/client_transport.ts";
import { errorToDetail } from "../../../../transport/wire/error_detail.ts";
import {
  connectFetchHandler,
  createRaftRoutes,
  type RaftServices,
} from "../../../../transport/connect/fetch_handler.ts";
import { fetchTransport } from "../../../../transport/connect/http_client.ts";
import type { Fetch } from "../../../../transport/connect/rpc_types.ts";
import { relayCalls } from "../../../../transport/relay/relay_calls.ts";
import type { ClientService, ProposeRequest, ReadRequest } from "../../../../transport/wire/gen/raft/v1/client_pb.ts";
import { KeyValueService } from "../../../../transport/wire/gen/raft/v1/kv_pb.ts";
import { statusFromWire, statusToWire } from "../../../../transport/wire/status_codec.ts";
import { goneAddress, serve, serveNothing, until } from "./connect_fixture.ts";

const members = [{ id: "n1", address: "h:1", incarnation: "i" }, { id: "n2", address: "h:2", incarnation: "j" }];
const leaderStatus: NodeStatus = {
  id: "n1",
  incarnation: "i",
  clusterId: "c",
  lifecycle: "running",
  role: "leader",
  term: Number.MAX_SAFE_INTEGER,
  leader: { id: "n1", address: "h:1" },
  commitIndex: 5,
  appliedIndex: 4,
  durableIndex: 6,
  lastIndex: 7,
  firstIndex: 2,
  snapshotIndex: 1,
  members: members.map((member, i) => ({ ...member, suffrage: i === 0 ? "voter" : "learner" })),
  membership: membershipOf({ voters: members.slice(0, 1), learners: members.slice(1) }),
  membershipIndex: 3,
  membershipCommitted: true,
  removed: false,
  peers: [
    { id: "n2", matchIndex: 5, nextIndex: 6, state: "replicate", lastContactMs: 1.5 },
    { id: "n3", matchIndex: 0, nextIndex: 1, state: "snapshot", lastContactMs: null },
  ],
  storage: { healthy: false, error: "no space" },
  uptimeMs: 12.25,
};
const newStatus: NodeStatus = {
  ...leaderStatus,
  role: "preCandidate",
  lifecycle: "stopped",
  leader: null,
  members: [],
  membership: { voters: [], outgoing: [], learners: [], learnersNext: [], members: [] },
  peers: [],
  storage: { healthy: true, error: null },
};

/** Answers only as the test specifies. */
function clientService(answers: Partial<ServiceImpl<typeof ClientService>>): RaftServices {
  const never = (): never => {
    throw new RaftError("unsupported", "not in this test");
  };
  return { client: { propose: never, read: never, status: never, ...answers } };
}

async function withServer(
  services: RaftServices,
  body: (address: string, transport: ClientTransport) => Promise<void>,
): Promise<void> {
  const server = serve(connectFetchHandler(createRaftRoutes(services, { clientMaxBytes: 1000 })));
  try {
    await body(server.address, createConnectClientTransport());
  } finally {
    await server.close();
  }
}

function isRaftError(code: string, outcome: string, message = /./): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof RaftError, String(error));
    assert.deepEqual([error.code, error.outcome], [code, outcome], error.message);
    assert.match(error.message, message);
    return true;
  };
}

Deno.test("client transport: proposals and their results keep their order, errors among them", async () => {
  const requests: ProposeRequest[] = [];
  const leader = { id: "n2", address: "h:2" };
  const services = clientService({
    propose(request) {
      requests.push(request);
      return {
        results: request.commands.map((command, i) =>
          i === 1
            ? { result: { case: "error", value: errorToDetail(new RaftError("not_leader", "not me", { leader })) } }
            : { result: { case: "proposed", value: { index: BigInt(10 + i), result: command } } }
        ),
      };
    },
  });
  await withServer(services, async (address, transport) => {
    const commands = [1, 2, 3].map((byte) => new Uint8Array([byte]));
    const [first, second, third] = await transport.propose(address, commands);
    assert.deepEqual([first, third], [
      { ok: true, index: 10, result: new Uint8Array([1]) },
      { ok: true, index: 12, result: new Uint8Array([3]) },
    ]);
    assert.ok(second?.ok === false);
    assert.deepEqual([second.error.code, second.error.outcome, second.error.leader], [
      "not_leader",
      "rejected",
      leader,
    ]);
    await createConnectClientTransport({ forward: true }).propose(address, []);
    assert.deepEqual(requests.map(({ forwarded }) => forwarded), [true, false]);
  });
});

Deno.test("client transport: a malformed answer leaves the outcome unknown", async () => {
  let results: { result: { case: "proposed"; value: { index: bigint } } | { case: undefined } }[] = [];
  await withServer(clientService({ propose: () => ({ results }) }), async (address, transport) => {
    await assert.rejects(transport.propose(address, [new Uint8Array(1)]), isRaftError("internal", "unknown"));
    for (const result of [{ case: undefined }, { case: "proposed" as const, value: { index: 2n ** 60n } }]) {
      results = [{ result }];
      const [answer] = await transport.propose(address, [new Uint8Array(1)]);
      assert.ok(answer?.ok === false);
      isRaftError("internal", "unknown")(answer.error);
    }
  });
});

Deno.test("client transport: reads carry their consistency", async () => {
  const asked: ReadRequest[] = [];
  const services = clientService({
    read(request) {
      asked.push(request);
      return { result: request.query, appliedIndex: 7n };
    },
  });
  await withServer(services, async (address, transport) => {
    const query = new Uint8Array([9]);
    assert.deepEqual(await transport.read(address, query), { result: query, appliedIndex: 7 });
    for (const consistency of ["linearizable", "lease", "stale"] as const) {
      await transport.read(address, query, { consistency });
    }
    assert.deepEqual(asked.map(({ consistency }) => consistency), [1, 1, 2, 3]);
  });
});

Deno.test("client transport: the whole status arrives", async () => {
  for (const status of [leaderStatus, newStatus]) {
    await withServer(
      clientService({ status: () => ({ status: statusToWire(status), version: "1" }) }),
      async (address, transport) => assert.deepEqual(await transport.status(address), status),
    );
  }
  await withServer(
    clientService({ status: () => ({}) }),
    (address, transport) => assert.rejects(transport.status(address), isRaftError("internal", "unknown", /malformed/)),
  );
  assert.throws(
    () => statusFromWire({} as Parameters<typeof statusFromWire>[0]),
    isRaftError("invalid_argument", "rejected"),
  );
});

Deno.test("client transport: a server's error arrives unchanged, and a fault of the server as unknown", async () => {
  let thrown: unknown = new RaftError("busy", "too much", { hint: "Wait." });
  const services = clientService({
    propose() {
      throw thrown;
    },
  });
  await withServer(services, async (address, transport) => {
    const call = () => transport.propose(address, [new Uint8Array(1)]);
    await assert.rejects(call, isRaftError("busy", "rejected", /too much/));
    thrown = new RaftError("leadership_lost", "gone", { outcome: "unknown" });
    await assert.rejects(call, isRaftError("leadership_lost", "unknown"));
    thrown = new TypeError("a bug");
    await assert.rejects(call, isRaftError("internal", "unknown"));
    const large = [new Uint8Array(2000)];
    await assert.rejects(transport.propose(address, large), isRaftError("too_large", "rejected"));
  });
});

Deno.test("client transport: an address without a listener means rejected, a broken connection does not", async () => {
  const transport = createConnectClientTransport();
  const propose = (endpoint: string) => transport.propose(endpoint, [new Uint8Array(1)]);
  await assert.rejects(propose(await goneAddress()), isRaftError("unreachable", "rejected", /no node answers/));
  await assert.rejects(propose("name.invalid:7001"), isRaftError("unreachable", "rejected"));
  await assert.rejects(propose("not an address"), isRaftError("invalid_argument", "rejected"));
  const breaking = await serveNothing();
  const call = propose(breaking.address);
  const checked = assert.rejects(call, isRaftError("unreachable", "unknown"));
  await until(() => breaking.connections() > 0, "a connection");
  await breaking.close();
  await checked;
  const foreign = serve(() => Promise.resolve(new Response("hello")));
  await assert.rejects(propose(foreign.address), (error) => error instanceof RaftError);
  await foreign.close();
});

Deno.test("client transport: a failure that has no cause, as in a browser, is never a rejection", async () => {
  const transport = createConnectClientTransport({ fetch: () => Promise.reject(new TypeError("Failed to fetch")) });
  await assert.rejects(transport.status("127.0.0.1:7001"), isRaftError("unreachable", "unknown"));
  // As Node and Bun say it.
  const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
  for (
    const error of [
      new TypeError("fetch failed", { cause: refused }),
      new TypeError("fetch failed", { cause: new AggregateError([refused, refused]) }),
      Object.assign(new Error("Unable to connect"), { code: "ConnectionRefused" }),
    ]
  ) {
    const other = createConnectClientTransport({ fetch: () => Promise.reject(error) });
    await assert.rejects(other.status("127.0.0.1:7001"), isRaftError("unreachable", "rejected"));
  }
  const mixed = new TypeError("failed", { cause: new AggregateError([refused, new Error("reset")]) });
  const other = createConnectClientTransport({ fetch: () => Promise.reject(mixed) });
  await assert.rejects(other.status("127.0.0.1:7001"), isRaftError("unreachable", "unknown"));
});

Deno.test("client transport: a signal before the call rejects it, one during it leaves the outcome unknown", async () => {
  const transport = createConnectClientTransport();
  const hanging = await serveNothing();
  const propose = (signal: AbortSignal) => transport.propose(hanging.address, [new Uint8Array(1)], { signal });
  await assert.rejects(propose(AbortSignal.abort()), isRaftError("aborted", "rejected"));
  assert.equal(hanging.connections(), 0);
  await assert.rejects(propose(AbortSignal.timeout(50)), isRaftError("timeout", "unknown"));
  const controller = new AbortController();
  const call = propose(controller.signal);
  setTimeout(() => controller.abort(), 20);
  await assert.rejects(call, isRaftError("aborted", "unknown"));
  await hanging.close();
});

Deno.test("raft clients: a watch streams until it is cancelled, and the server is notified", async () => {
  let ended = false;
  const kv: Partial<ServiceImpl<typeof KeyValueService>> = {
    async *watch({ fromVersion }, { signal }) {
      try {
        for (let version = fromVersion ?? 1n;; version++) {
          yield { changes: [{ version }], version };
          if (version % 10n === 0n && !signal.aborted) {
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
          }
          if (signal.aborted) return;
        }
      } finally {
        ended = true;
      }
    },
  };
  await withServer({ kv: kv as ServiceImpl<typeof KeyValueService> }, async (address) => {
    const kv = createClient(KeyValueService, fetchTransport(address));
    const controller = new AbortController();
    const versions: bigint[] = [];
    await assert.rejects(async () => {
      for await (const { version } of kv.watch({ fromVersion: 8n }, { signal: controller.signal })) {
        versions.push(version);
        if (version === 10n) setTimeout(() => controller.abort(), 5);
      }
    });
    assert.deepEqual(versions, [8n, 9n, 10n]);
    await until(() => ended, "the server ends the watch");
  });
});

Deno.test("addresses: host and port, or a URL", () => {
  assert.equal(baseUrl("127.0.0.1:7001"), "http://127.0.0.1:7001");
  assert.equal(baseUrl("[::1]:7001"), "http://[::1]:7001");
  assert.equal(baseUrl("https://raft.example/base/"), "https://raft.example/base");
  const bad = ["", "no address", "ftp://h:1", "http://", ":::", "h:99999", "h:1?q", "http://u:p@h:1", "h:1#f", "h:1\n"];
  for (const address of bad) {
    assert.throws(() => baseUrl(address), isRaftError("invalid_argument", "rejected", /not an address/));
  }
});

Deno.test("a code that could be a connection's is proof only if it was the connecting that failed", async () => {
  const failing = (code: string, syscall: string): ClientTransport =>
    createConnectClientTransport({
      fetch: () => {
        const cause = Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
        return Promise.reject(new TypeError("fetch failed", { cause }));
      },
    });
  for (const code of ["EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED"]) {
    const propose = (syscall: string) => failing(code, syscall).propose("127.0.0.1:7001", [new Uint8Array(1)]);
    await assert.rejects(propose("connect"), isRaftError("unreachable", "rejected"));
    // As after a retransmission timeout on a connection whose other end may have read the request.
    await assert.rejects(propose("read"), isRaftError("unreachable", "unknown"));
    await assert.rejects(propose("write"), isRaftError("unreachable", "unknown"));
  }
});

Deno.test("a server that reports a tab as unreachable has answered, and is asked again", async () => {
  const unreachable = (): never => {
    throw new RaftError("unreachable", "no node is reachable at tab:t1");
  };
  const services = clientService({ propose: unreachable, status: () => ({ status: statusToWire(leaderStatus) }) });
  await withServer(services, async (address, transport) => {
    const propose = () => transport.propose("tab:t1", [new Uint8Array()]);
    await assert.rejects(propose(), { code: "unreachable", message: /no server is known/ });
    await transport.status(address);
    const told = { code: "unreachable", message: "no node is reachable at tab:t1", outcome: "rejected" };
    await assert.rejects(propose(), told);
    await assert.rejects(propose(), told);
    // Another may reach it.
    const other = serve(connectFetchHandler(createRaftRoutes(clientService({ status: services.client!.status }))));
    await transport.status(other.address);
    await transport.status(address);
    await assert.rejects(propose(), told);
    await assert.rejects(propose(), { code: "unsupported" });
    await other.close();
  });
  // A departed one has not.
  const transport = createConnectClientTransport();
  const gone = await goneAddress();
  await assert.rejects(transport.status(gone), { code: "unreachable" });
  await assert.rejects(transport.propose("tab:t1", [new Uint8Array()]), { message: /no server is known/ });
});

/** Returns a fetch whose answer is `chunk`, again and again. */
function endless(contentType: string, chunk: Uint8Array) {
  const counts = { chunks: 0, cancelled: false };
  const body = new ReadableStream({
    pull(controller) {
      counts.chunks++;
      controller.enqueue(chunk);
    },
    cancel: () => void (counts.cancelled = true),
  });
  const fetch: Fetch = () => Promise.resolve(new Response(body, { headers: { "content-type": contentType } }));
  return { fetch, counts };
}

Deno.test("an answer that never ends is given up at a limit, and the outcome is unknown", async () => {
  const { fetch, counts } = endless("application/proto", new Uint8Array(1024 * 1024));
  const transport = createConnectClientTransport({ fetch });
  await assert.rejects(
    transport.propose("127.0.0.1:1", [new Uint8Array(1)]),
    isRaftError("too_large", "unknown", /more than 67108864 bytes/),
  );
  assert.ok(counts.chunks <= 66 && counts.cancelled);
});

Deno.test("a message of a stream is refused by its header, for watches and relays", async () => {
  const header = new Uint8Array([0, 0xff, 0xff, 0xff, 0xff]);
  const limit = /the limit is 34603008 bytes/;
  const watch = endless("application/connect+proto", header);
  const kv = createClient(KeyValueService, fetchTransport("127.0.0.1:1", watch.fetch));
  await assert.rejects(Array.fromAsync(kv.watch({})), limit);
  const relay = endless("application/connect+proto", header);
  await assert.rejects(Array.fromAsync(relayCalls("http://127.0.0.1:1", relay.fetch).attach({})), limit);
  assert.ok(watch.counts.cancelled && relay.counts.cancelled);
});
