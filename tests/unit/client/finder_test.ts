import assert from "node:assert/strict";
import { LeaderFinder } from "../../../lib/client/leader_finder.ts";
import { RaftError } from "../../../lib/errors.ts";
import type { NodeStatus } from "../../../lib/node/types.ts";
import { VirtualHost } from "../../support/virtual_host.ts";

interface Answer {
  readonly leader: string | null;
  readonly term?: number;
  readonly lifecycle?: NodeStatus["lifecycle"];
  readonly members?: readonly string[];
  readonly membershipIndex?: number;
  readonly afterMs?: number;
}

class Finding {
  readonly host = new VirtualHost();
  /** The answer of each node; a node without one is unreachable. */
  readonly answers = new Map<string, Answer>();
  readonly finder: LeaderFinder;
  asked: string[] = [];

  constructor(endpoints: readonly string[]) {
    const status = async (endpoint: string): Promise<NodeStatus> => {
      this.asked.push(endpoint);
      const answer = this.answers.get(endpoint);
      if (answer === undefined) throw new RaftError("unreachable", `${endpoint} refuses connections`);
      const { leader, term = 1, lifecycle = "running", members = endpoints, membershipIndex = 1, afterMs = 1 } = answer;
      await new Promise<void>((resolve) => void this.host.clock.setTimer(afterMs, resolve));
      const hint = leader === null ? null : { id: leader, address: leader };
      const all = members.map((id) => ({ id, address: id }));
      return { id: endpoint, leader: hint, term, lifecycle, members: all, membershipIndex } as unknown as NodeStatus;
    };
    this.finder = new LeaderFinder({ transport: { status }, host: this.host, endpoints, attemptTimeoutMs: 500 });
  }

  answer(answers: Readonly<Record<string, Answer>>): this {
    for (const [endpoint, answer] of Object.entries(answers)) this.answers.set(endpoint, answer);
    return this;
  }

  async search(): Promise<string> {
    return (await this.host.run(this.finder.search())).endpoint;
  }

  /** Reports that a node named another one as the leader; returns true if that one is asked next. */
  named(endpoint: string, leader: string): boolean {
    return this.finder.failed(endpoint, new RaftError("not_leader", "no", { leader: { id: leader, address: leader } }));
  }
}

const three = ["n1", "n2", "n3"];

Deno.test("leader finder: hints are followed a few times in a row, and again after a search", async () => {
  const finding = new Finding(three).answer({ n1: { leader: "n1" } });
  for (let round = 0; round < 3; round++) {
    assert.equal(await finding.search(), "n1");
    const followed = [];
    for (let at = 0; at < 4; at++) followed.push(finding.named(three[at % 3]!, three[(at + 1) % 3]!));
    assert.deepEqual(followed, [true, true, true, false], `round ${round}`);
  }
  await finding.search();
  for (let i = 0; i < 10; i++) {
    finding.finder.succeeded();
    assert.equal(finding.named(three[i % 3]!, three[(i + 1) % 3]!), true, "a success ends the row");
  }
});

Deno.test("leader finder: a hint to a leader that has just hung is not followed; it is later", async () => {
  const finding = new Finding(three).answer({ n2: { leader: "n1" } });
  assert.equal(await finding.search(), "n1");
  finding.finder.failed("n1", new RaftError("timeout", "no answer"));
  assert.equal(finding.named("n2", "n1"), false);
  await assert.rejects(finding.search(), { code: "unreachable" });
  await finding.host.runFor(500);
  assert.equal(finding.named("n2", "n1"), true);
});

Deno.test("leader finder: a late failure at a former leader does not forget the present one", async () => {
  const finding = new Finding(three).answer({ n2: { leader: "n2" } });
  assert.equal(await finding.search(), "n2");
  assert.equal(finding.named("n1", "n3"), true);
  assert.equal(finding.finder.leader, "n2");
  assert.equal(finding.finder.failed("n1", new RaftError("unreachable", "gone")), true);
  assert.equal(finding.finder.leader, "n2");
});

Deno.test("leader finder: a node that has stopped names no leader, whatever its term", async () => {
  const finding = new Finding(three).answer({
    n1: { leader: "n1", term: 9, lifecycle: "stopped" },
    n2: { leader: "n2", term: 3 },
  });
  assert.equal(await finding.search(), "n2");
});

Deno.test("leader finder: an older membership replaces no newer one, and given endpoints stay", async () => {
  const finding = new Finding(["n1", "n2"]).answer({
    n1: { leader: "n1", members: ["n4", "n5"], membershipIndex: 7 },
    n2: { leader: "n1", members: ["n3"], membershipIndex: 5, afterMs: 2 },
  });
  await finding.search();
  assert.deepEqual(finding.finder.endpoints, ["n1", "n2", "n4", "n5"]);
});

Deno.test("leader finder: nodes without a leader don't end the search, and the answer of one does, soon", async () => {
  const finding = new Finding(three).answer({
    n1: { leader: null },
    n2: { leader: "n2", afterMs: 120 },
    n3: { leader: "n2", afterMs: 400 },
  });
  assert.equal(await finding.search(), "n2");
  assert.equal(finding.host.now, 170, "after a little grace for newer terms");
  await finding.host.runFor(1000);
  const quick = new Finding(three).answer({ n1: { leader: "n1" }, n2: { leader: "n1" }, n3: { leader: "n1" } });
  await quick.search();
  assert.deepEqual([quick.host.now, quick.host.pendingTimers], [1, 0]);
});
