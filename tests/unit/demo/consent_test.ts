import assert from "node:assert/strict";
import { questionOf } from "../../../browser-demo/live/consent.ts";

const founders = ["n1", "n2", "n3"];
const tabs = { cluster: "c", servers: [] };
const servers = { cluster: "h-1", servers: ["http://h:1"] };
const consent = { invitation: "secret", nodes: ["n4", "t1"] };

Deno.test("a link to servers asks, until this browser has run the nodes in it", () => {
  for (const known of [null, consent]) {
    const asked = (nodes: string[] | null, join: string | null) =>
      questionOf(servers, { nodes, join }, { consent: known, founders })?.nodes;
    assert.deepEqual(asked(null, null), []);
    assert.deepEqual(asked(null, ""), []);
    assert.deepEqual(asked(null, "guessed"), []);
    assert.deepEqual(asked(["t2"], null), ["t2"]);
    assert.deepEqual(asked(["n1"], null), ["n1"], "servers have no founders here");
    assert.deepEqual(asked(["t1"], null), known === null ? ["t1"] : undefined);
    assert.deepEqual(asked(["t1"], ""), [], "it would add another one");
  }
  assert.equal(questionOf(servers, { nodes: null, join: "secret" }, { consent, founders }), null);
});

Deno.test("a link to a cluster of tabs asks only for nodes that are to join", () => {
  const asked = (nodes: string[] | null, join: string | null) =>
    questionOf(tabs, { nodes, join }, { consent, founders })?.nodes;
  assert.equal(asked(null, null), undefined);
  assert.equal(asked(["n1", "n4"], null), undefined);
  assert.deepEqual(asked(["n1", "n9"], null), ["n9"]);
  assert.deepEqual(asked(null, ""), []);
  assert.equal(asked(null, "secret"), undefined);
});
