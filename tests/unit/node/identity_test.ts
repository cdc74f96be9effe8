import assert from "node:assert/strict";
import type { Host } from "../../../lib/clock.ts";
import { Directory } from "../../../lib/node/directory.ts";
import { EnvelopeCheck } from "../../../lib/node/envelope_check.ts";
import { RaftNode } from "../../../lib/node/mod.ts";
import { membershipOf } from "../../../lib/raft/mod.ts";
import type { Message, RequestVote } from "../../../lib/raft/types.ts";
import { PROTOCOL_VERSION } from "../../../lib/transport.ts";
import type { Envelope, Receive } from "../../../lib/transport.ts";
import { MemoryStorage } from "../../../storage/memory.ts";
import { MemoryNetwork } from "../../../transport/memory.ts";
import { bytes, Journal } from "../../support/journal.ts";
import { VirtualHost } from "../../support/virtual_host.ts";

const own = { nodeId: "n1", incarnation: "i1", clusterId: "c" };
const vote = (term: number, preVote = false): RequestVote => ({
  type: "RequestVote",
  term,
  lastLogIndex: 0,
  lastLogTerm: 0,
  preVote,
  leadershipTransfer: false,
});

function envelope(message: Message, changes: Partial<Envelope> = {}): Envelope {
  return {
    protocolVersion: PROTOCOL_VERSION,
    clusterId: "c",
    from: "n2",
    fromIncarnation: "i2",
    fromAddress: "n2",
    to: "n1",
    toIncarnation: "i1",
    message,
    ...changes,
  };
}

function make() {
  const directory = new Directory();
  directory.update(membershipOf({
    voters: ["1", "2"].map((i) => ({ id: `n${i}`, address: `n${i}`, incarnation: `i${i}` })),
  }));
  const checked = new EnvelopeCheck("");
  const verdict = (message: Message, changes: Partial<Envelope> = {}, leaderless = false): string => {
    const result = checked.check(envelope(message, changes), own, directory, leaderless);
    return result.action === "refuse" ? result.kind : result.action;
  };
  return { directory, verdict };
}

Deno.test("answers of a member with another data folder are refused; its requests are processed by a node without a leader", () => {
  const { directory, verdict } = make();
  const wiped = { fromIncarnation: "other", fromAddress: "elsewhere" };
  const granted = { type: "RequestVoteResponse", term: 1, voteGranted: true, preVote: false } as const;
  assert.equal(verdict(granted), "step");
  assert.equal(verdict(granted, wiped, true), "senderIncarnation");
  assert.equal(verdict(vote(1), wiped), "senderIncarnation");
  assert.equal(verdict(vote(1), wiped, true), "step");
  directory.recordSender("n2", "elsewhere", "other");
  assert.deepEqual(directory.requester("n2"), { address: "elsewhere", incarnation: "other" });
  assert.equal(directory.lookup("n2")!.incarnation, "i2", "this node's own requests still go to the member");
  assert.equal(verdict(vote(2), wiped), "step", "it may be the leader that this node has now");
  assert.equal(verdict(granted, wiped), "senderIncarnation");
  directory.recordSender("n2", "n2", "i2");
  assert.equal(directory.requester("n2")!.incarnation, "i2");
});

Deno.test("of two data folders under one name only one is a candidate of a term: a vote names no data folder", () => {
  const { verdict } = make();
  const removed = { from: "n3", fromIncarnation: "old" };
  const added = { from: "n3", fromIncarnation: "new" };
  assert.equal(verdict(vote(5, true), added), "step");
  assert.equal(verdict(vote(5), removed), "step");
  assert.equal(verdict(vote(5), added), "senderIncarnation");
  assert.equal(verdict(vote(6), added), "step");
  assert.equal(verdict(vote(5), added), "senderIncarnation", "late, but not forgotten");
  assert.equal(verdict(vote(5), removed), "step");
});

Deno.test("a message for another node, cluster, version or data folder is refused", () => {
  const { verdict } = make();
  assert.equal(verdict(vote(1), { to: "n9" }), "receiver");
  assert.equal(verdict(vote(1), { from: "n1" }), "sender");
  assert.equal(verdict(vote(1), { clusterId: "d" }), "cluster");
  assert.equal(verdict(vote(1), { clusterId: "" }), "cluster");
  assert.equal(verdict(vote(1), { toIncarnation: "before" }), "receiverIncarnation");
  assert.equal(verdict(vote(1), { protocolVersion: PROTOCOL_VERSION + 1 }), "protocolVersion");
});

Deno.test("a node without a cluster adopts that of a sender that knows its data folder, or the one that was named", () => {
  const empty = { ...own, clusterId: "" };
  const verdict = (expected: string, type: Message["type"], changes: Partial<Envelope>): string => {
    const message = { ...vote(1), type } as Message;
    const result = new EnvelopeCheck(expected).check(envelope(message, changes), empty, new Directory(), true);
    return result.action === "refuse" ? result.kind : result.action;
  };
  for (const type of ["AppendEntries", "InstallSnapshot", "RequestVote"] as const) {
    assert.equal(verdict("", type, {}), "adopt");
    assert.equal(verdict("", type, { toIncarnation: "" }), "notInCluster", "anyone can send that");
    assert.equal(verdict("c", type, {}), "adopt");
    assert.equal(verdict("d", type, {}), "cluster");
  }
  assert.equal(verdict("c", "AppendEntries", { toIncarnation: "" }), "adopt");
  assert.equal(verdict("c", "RequestVote", { toIncarnation: "" }), "notInCluster");
  assert.equal(verdict("", "AppendEntriesResponse", {}), "notInCluster");
});

Deno.test("a node answers a member that has moved where it is, and where the membership has it; its own requests go there alone", async () => {
  const host = new VirtualHost();
  const sent: { readonly address: string; readonly type: Message["type"] }[] = [];
  let receive: Receive | null = null;
  const members = ["n1", "n2", "n3"].map((id) => ({ id, address: id, incarnation: id === "n1" ? "" : `i${id}` }));
  const storage = new MemoryStorage();
  const node = await host.run(RaftNode.start({
    id: "n1",
    address: "n1",
    stateMachine: new Journal(),
    storage,
    transport: {
      start: (into) => Promise.resolve(void (receive = into)),
      send: (address, { message: { type } }) => void sent.push({ address, type }),
      close: () => Promise.resolve(),
    },
    host,
    bootstrap: { clusterId: "c", membership: membershipOf({ voters: members }) },
  }));
  const toIncarnation = node.status().members.find(({ id }) => id === "n1")!.incarnation;
  const from = (fromAddress: string) => envelope(vote(5, true), { fromIncarnation: "in2", fromAddress, toIncarnation });
  const answeredAt = async (fromAddress: string): Promise<readonly string[]> => {
    sent.length = 0;
    assert.equal(receive!(from(fromAddress)), undefined);
    await host.drain();
    return sent.filter(({ type }) => type === "RequestVoteResponse").map(({ address }) => address);
  };
  assert.deepEqual(await answeredAt("n2"), ["n2"]);
  assert.deepEqual(await answeredAt("elsewhere"), ["n2", "elsewhere"]);
  sent.length = 0;
  await host.runFor(20_000);
  const requests = sent.filter(({ type }) => type === "RequestVote");
  assert.ok(requests.length > 0);
  assert.ok(requests.every(({ address }) => address !== "elsewhere"));
  await host.run(node.close());
});

Deno.test("a host may be an instance of a class: its functions are called as methods", async () => {
  const calls = new VirtualHost();
  class OwnHost implements Host {
    readonly #calls = calls;
    readonly clock = calls.clock;
    random(): number {
      return this.#calls.random();
    }
    enqueue(task: () => void): void {
      this.#calls.enqueue(task);
    }
  }
  const node = await calls.run(RaftNode.start({
    id: "n1",
    address: "n1",
    stateMachine: new Journal(),
    storage: new MemoryStorage(),
    transport: new MemoryNetwork({ host: calls }).transport("n1"),
    host: new OwnHost(),
    bootstrap: { clusterId: "c", membership: membershipOf({ voters: [{ id: "n1", address: "n1", incarnation: "" }] }) },
  }));
  await calls.run(node.leadership());
  await calls.run(node.propose(bytes("a")));
  await calls.run(node.takeSnapshot());
  await calls.run(node.close());
});
