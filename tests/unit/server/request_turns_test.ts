import assert from "node:assert/strict";
import { RequestTurns } from "../../../server/request_turns.ts";

Deno.test("turns: a few requests begin at once, others in turn, and first ones of a connection before them", async () => {
  const turns = new RequestTurns();
  const begun: string[] = [];
  const request = async (name: string, isFirst: boolean): Promise<void> => {
    const turn = turns.next(isFirst);
    if (turn !== null) await turn;
    begun.push(name);
  };
  const kept = Array.from({ length: 200 }, (_, at) => request(`kept ${at}`, false));
  assert.ok(begun.length > 0 && begun.length < 50, `${begun.length} began at once`);
  const fresh = request("fresh", true);
  await Promise.all([...kept, fresh]);
  assert.equal(begun.length, 201);
  assert.ok(begun.indexOf("fresh") < 50, `the new connection's came after ${begun.indexOf("fresh")} others`);
  assert.deepEqual(begun.filter((name) => name !== "fresh"), Array.from({ length: 200 }, (_, at) => `kept ${at}`));
});

Deno.test("turns: many new connections don't keep the requests of others out", async () => {
  const turns = new RequestTurns();
  let begun = 0;
  const ask = async (isFirst: boolean): Promise<number> => {
    const turn = turns.next(isFirst);
    if (turn !== null) await turn;
    return ++begun;
  };
  const fresh = Array.from({ length: 1000 }, () => ask(true));
  assert.ok(await ask(false) < 100);
  assert.equal((await Promise.all(fresh)).length, 1000);
});
