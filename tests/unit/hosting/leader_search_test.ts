import assert from "node:assert/strict";
import { BootstrappingNode } from "../../../hosting/bootstrapping_node.ts";
import { LeaderSearch } from "../../../hosting/leader_search.ts";
import { RaftError } from "../../../lib/errors.ts";
import type { NodeStatus } from "../../../lib/node/types.ts";
import { membershipOf } from "../../../lib/raft/membership.ts";
import { VirtualHost } from "../../support/virtual_host.ts";

const base = new BootstrappingNode({ nodeId: "n1", incarnation: "i1", clusterId: "c" }).status();
const members = ["n1", "n2", "n3"].map((id) => ({ id, address: `http://${id}:1`, incarnation: "" }));
const membership = membershipOf({ voters: members });
const statusOf = (id: string, changes: Partial<NodeStatus> = {}): NodeStatus => ({
  ...base,
  id,
  membership,
  members: members.map((member) => ({ ...member, suffrage: "voter" })),
  ...changes,
});
const leader = { id: "n2", address: "http://n2:1" };

/** The others' answers; an error's message for those that do not answer. */
type Answers = Record<string, NodeStatus | string>;

function setUp(answers: Answers) {
  const host = new VirtualHost();
  const node = { status: statusOf("n1"), learned: [] as string[], refused: [] as { from: string; reason: string }[] };
  const stuck: string[] = [];
  const search = new LeaderSearch({
    node: {
      status: () => node.status,
      learn: ({ id }) => void node.learned.push(id),
      diagnostics: () => ({ refused: node.refused }) as never,
    },
    client: {
      status(address) {
        const answer = answers[new URL(address).hostname] ?? "not asked for";
        return typeof answer === "string"
          ? Promise.reject(new RaftError("unreachable", answer))
          : Promise.resolve(answer);
      },
    },
    clock: host.clock,
    report: (reason) => stuck.push(reason ?? ""),
  });
  const ended = new AbortController();
  const running = search.run(ended.signal);
  const end = async (): Promise<void> => {
    ended.abort();
    await running;
  };
  return { host, node, search, stuck, end };
}

Deno.test("a node without a leader says nothing for as long as an election may take, and then what it has seen", async () => {
  const { host, node, search, stuck, end } = setUp({ n2: "no node answers at n2:1", n3: "no node answers at n3:1" });
  await host.runFor(3500);
  assert.deepEqual([search.reason(), stuck], [undefined, []]);
  await host.runFor(8500);
  const reason = search.reason() ?? "";
  assert.match(
    reason,
    /^only 1 of 3 voters answer, which is no quorum; no answer from n2 for 12 s \(no node answers at/,
  );
  assert.match(reason, /, n3 for 12 s \(no node answers at n3:1\)$/);
  assert.equal(stuck.length, 1, "it is reported once");
  node.status = statusOf("n1", { leader });
  await host.runFor(500);
  assert.deepEqual([search.reason(), stuck.length, stuck[1]], [undefined, 2, ""]);
  node.status = statusOf("n1");
  await host.runFor(2000);
  assert.equal(search.reason(), undefined, "it begins anew");
  await host.runFor(3000);
  assert.equal(stuck.length, 3);
  await end();
});

Deno.test("a quorum that answers without a leader is told from a leader that is not heard", async () => {
  const answers: Answers = { n2: statusOf("n2"), n3: "no node answers at n3:1" };
  const { host, node, search, end } = setUp(answers);
  node.refused.push({ from: "n2", reason: "protocol version 99, this node's is 1" });
  await host.runFor(6000);
  assert.equal(search.reason(), undefined, "they may have split their votes");
  await host.runFor(3000);
  assert.equal(
    search.reason(),
    "2 of 3 voters answer, and none has had a leader for 9 s; " +
      "it refuses messages of n2: protocol version 99, this node's is 1",
  );
  assert.ok(node.learned.includes("n2"), "their status may say that it was removed");
  answers["n2"] = statusOf("n2", { role: "leader", leader });
  node.refused.length = 0;
  await host.runFor(6000);
  assert.equal(search.reason(), "n2 leads, but nothing that it sent has been taken for 15 s");
  await end();
});

Deno.test("a node that waits to be added, or has ended, has no leader for another reason", async () => {
  const { host, node, search, stuck, end } = setUp({});
  node.status = statusOf("n1", { clusterId: "" });
  await host.runFor(10_000);
  assert.deepEqual([search.reason(), node.learned, stuck], ["it waits to be added to a cluster", [], []]);
  node.status = statusOf("n1", { lifecycle: "stopped" });
  assert.equal(search.reason(), undefined);
  await end();
});
