import assert from "node:assert/strict";
import { RequestTurns } from "../../../server/request_turns.ts";

/** Notes in which order requests begin. */
class Server {
  readonly begun: string[] = [];
  readonly #turns = new RequestTurns();

  async ask(target: string, isFirst = false): Promise<void> {
    const turn = this.#turns.next(target, isFirst);
    if (turn !== null) await turn;
    this.begun.push(target);
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
