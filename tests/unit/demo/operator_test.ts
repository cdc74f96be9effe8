import assert from "node:assert/strict";
import { Operator } from "../../../browser-demo/live/operator.ts";
import { Picture } from "../../../browser-demo/live/picture.ts";
import { RaftError } from "../../../mod.ts";
import type { TabTransport } from "../../../transport/tab/mod.ts";

/** An operator whose calls end with this. */
function operator(answer: () => Promise<Uint8Array>): Operator {
  return new Operator(new Picture("p"), { call: answer } as unknown as TabTransport, ["http://127.0.0.1:7001"]);
}

Deno.test("an operator: what is no member is removed already; any other refusal is told", async () => {
  await operator(() => Promise.reject(new RaftError("invalid_argument", "n2 is not a member"))).removeMember("n2");
  const refused = operator(() => Promise.reject(new RaftError("refused", "n2 is the last voter"))).removeMember("n2");
  await assert.rejects(refused, { code: "refused" });
});
