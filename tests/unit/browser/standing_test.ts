import assert from "node:assert/strict";
import { RaftError } from "../../../lib/errors.ts";
import { PacketTransport } from "../../../transport/tab/mod.ts";
import { eventually } from "../../support/server_processes.ts";
import { Tabs, TIMES } from "./tabs.ts";

const MEMBERS = ["n1", "n2", "n3"];

/** Waits until a node's page is told why the node takes no part. */
async function told(tabs: Tabs, id: string, reason: RegExp): Promise<void> {
  const { handle } = tabs.tab(id);
  await eventually(`${id} is told ${reason}`, () => handle.life.life === "running" && reason.test(handle.life.reason));
}

Deno.test("a node in a tab that is removed says so at once, and again after a restart", async () => {
  await using tabs = new Tabs();
  await tabs.begin(MEMBERS);
  const [other] = MEMBERS.filter((id) => id !== tabs.tab(id).node.status().leader?.id);
  assert.ok(other !== undefined);
  const [there] = MEMBERS.filter((id) => id !== other);
  await tabs.tab(there!).handle.admin.remove(other);
  await told(tabs, other, /^this node was removed from its cluster$/);
  await tabs.stop(other);
  await tabs.start(other, {});
  await told(tabs, other, /^this node was removed from its cluster$/);
});

Deno.test("a node in a tab that was removed while its page was closed learns of it by asking", async () => {
  await using tabs = new Tabs();
  await tabs.begin(MEMBERS);
  await tabs.stop("n3");
  await tabs.leader();
  await tabs.tab("n1").handle.admin.remove("n3");
  const { handle, node } = await tabs.start("n3", {});
  await told(tabs, "n3", /^this node was removed from its cluster$/);
  const refused = await (await node.running).propose(new Uint8Array(1)).catch((error) => error);
  assert.equal(refused.code, "not_a_member");
  assert.equal((await handle.status()).removed, true);
});

Deno.test("a node in a tab that is alone says which nodes do not answer, to its page and to operators", async () => {
  await using tabs = new Tabs();
  await tabs.begin(MEMBERS);
  const { handle, node } = tabs.tab("n1");
  await Promise.all([tabs.stop("n2"), tabs.stop("n3")]);
  await told(tabs, "n1", /^only 1 of 3 voters answer, which is no quorum; no answer from n2 for \d+ s .*, n3 for/);
  const error = await handle.admin.remove("n3", { timeoutMs: 12_000 }).catch((error) => error);
  assert.ok(error instanceof RaftError);
  assert.equal(error.code, "no_leader");
  await tabs.start("n2", {});
  await eventually("a leader again", () => node.status().leader !== null);
  await eventually("n1 is told that", () => handle.life.reason === "");
});

Deno.test("a node in a tab compares its address with the membership", async () => {
  await using tabs = new Tabs();
  await tabs.begin(MEMBERS);
  await tabs.stop("n3");
  const { handle } = await tabs.start("n3", {
    transport: () => new PacketTransport({ address: "tab:moved", channel: tabs.post.channel("tab:moved") }),
    ...TIMES,
  });
  await told(
    tabs,
    "n3",
    /^the membership has this node at tab:n3, but it is at tab:moved: other nodes do not reach it/,
  );
  assert.equal((await handle.status()).leader, null);
});

Deno.test("a node in a tab says that no elections led to its term; the others go on", async () => {
  await using tabs = new Tabs();
  await tabs.begin(MEMBERS);
  await tabs.stop("n3");
  tabs.disk("n3").hardState = { term: Number.MAX_SAFE_INTEGER, votedFor: null };
  await tabs.start("n3", {});
  await told(tabs, "n3", /^its term, 9007199254740991, is the last one there is/);
  assert.ok(tabs.tab(await tabs.leader()).node.status().term < 100);
});
