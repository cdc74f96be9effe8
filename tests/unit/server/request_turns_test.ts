import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { RequestTurns } from "../../../server/request_turns.ts";

/** Notes in which order requests begin. */
class Server {
  readonly begun: string[] = [];
  clockMs = 0;
  readonly #turns = new RequestTurns(() => this.clockMs);

  async ask(target: string, isFirst = false): Promise<void> {
    const turn = this.#turns.next(target, isFirst);
    if (turn !== null) await turn;
    this.begun.push(target);
  }

  /** Accepts a connection in each of some turns of the event loop, which take so long. */
  async accept(turns: number, turnMs: number): Promise<void> {
    for (let turn = 0; turn < turns; turn++) {
      this.#turns.accepted();
      this.clockMs += turnMs;
      await nextTurn();
    }
  }

  many(count: number, target: string, isFirst = false): Promise<void>[] {
    return Array.from({ length: count }, (_, at) => this.ask(`${target}${at}`, isFirst));
  }
}

Deno.test("turns: a few requests begin at once, others in turn, in their order", async () => {
  const server = new Server();
  const all = server.many(200, "/kv/");
  assert.ok(server.begun.length > 0 && server.begun.length < 20, `${server.begun.length} began at once`);
  await Promise.all(all);
  assert.deepEqual(server.begun, Array.from({ length: 200 }, (_, at) => `/kv/${at}`));
});

Deno.test("turns: many requests of a kind delay none of another, and those of kept connections no new one", async () => {
  for (
    const [flood, other] of [
      ["/raft.v1.PeerService/Stream?", "/kv/other"],
      ["/kv?watch&from=", "/kv/other"],
      ["http://localhost/kv?limit=", "http://localhost/kv/other"],
      ["/raft.v1.KeyValueService/List?", "/raft.v1.ClientService/Propose"],
      ["/status?", "/kv/other"],
      ["/kv/", "/raft.v1.PeerService/Send"],
    ] as const
  ) {
    const server = new Server();
    const all = server.many(1000, flood, true);
    await server.ask(other);
    assert.ok(server.begun.length < 30, `${other} came after ${server.begun.length} of ${flood}`);
    await Promise.all(all);
    assert.equal(server.begun.length, 1001);
  }
  const server = new Server();
  const all = server.many(1000, "/kv/");
  await server.ask("/kv/new", true);
  assert.ok(server.begun.length < 30, `a new one came after ${server.begun.length} others`);
  await Promise.all(all);
});

Deno.test("turns: while connections are accepted few requests begin, the next of each kind first; then they go on", async () => {
  const server = new Server();
  const all = [...server.many(100, "/status?"), ...server.many(100, "/kv?watch&from=")];
  const before = server.begun.length;
  await server.accept(80, 1);
  const during = server.begun.slice(before);
  assert.ok(during.length >= 10 && during.length <= 30, `${during.length} began in 80 ms`);
  const watches = during.filter((target) => target.startsWith("/kv?watch")).length;
  assert.ok(Math.abs(2 * watches - during.length) <= 2, `${watches} of ${during.length} were watches`);
  const other = server.ask("/kv/other");
  await server.accept(15, 1);
  assert.ok(server.begun.includes("/kv/other"), "another kind is not kept waiting");
  await Promise.all([...all, other]);
});

Deno.test("turns: where turns take long, requests begin in each, whether connections are accepted or not", async () => {
  const server = new Server();
  const all = server.many(100, "/status?");
  const before = server.begun.length;
  await server.accept(5, 100);
  assert.ok(server.begun.length - before >= 32, `${server.begun.length - before} began in five turns`);
  await Promise.all(all);
});
