import assert from "node:assert/strict";
import { RaftNode } from "../../../lib/node/mod.ts";
import { membershipOf } from "../../../lib/raft/mod.ts";
import type { AppliedCommand, StateMachine } from "../../../lib/state_machine.ts";
import { MemoryStorage } from "../../../storage/memory.ts";
import { MemoryNetwork } from "../../../transport/memory.ts";
import { VirtualTime } from "../../support/virtual_time.ts";

const QUICK = Uint8Array.of(0);
const SLOW = Uint8Array.of(1);

/** A state machine whose queries and some commands take time; it notes calls that overlap. */
class TakingTime implements StateMachine {
  readonly overlaps: string[] = [];
  readonly ended: string[] = [];
  readonly #pause: () => Promise<void>;
  #busy = false;

  constructor(pause: () => Promise<void>) {
    this.#pause = pause;
  }

  apply({ data }: AppliedCommand): Uint8Array | Promise<Uint8Array> {
    if (data[0] === 1) return this.#slowly("slow command");
    this.#enter("quick command");
    return new Uint8Array();
  }
  query(): Promise<Uint8Array> {
    return this.#slowly("query");
  }
  async *snapshot(): AsyncIterable<Uint8Array> {
    this.#enter("snapshot");
    yield new Uint8Array(1);
  }
  restore(): Promise<void> {
    return Promise.resolve();
  }

  #enter(call: string): void {
    if (this.#busy) this.overlaps.push(call);
    this.ended.push(call);
  }

  async #slowly(call: string): Promise<Uint8Array> {
    if (this.#busy) this.overlaps.push(call);
    this.#busy = true;
    await this.#pause();
    this.#busy = false;
    this.ended.push(call);
    return new Uint8Array();
  }
}

Deno.test("a snapshot that an applied command makes due waits for a query that the command has let in", async () => {
  const time = new VirtualTime(1);
  const host = time.host();
  const machine = new TakingTime(() => new Promise((resolve) => void host.clock.setTimer(50, resolve)));
  const network = new MemoryNetwork({ host: time.host() });
  const node = await time.settle(RaftNode.start({
    id: "n1",
    address: "n1",
    stateMachine: machine,
    storage: new MemoryStorage(),
    transport: network.transport("n1"),
    host,
    // Due with the second command: the membership and the entry of the term come first.
    snapshotEntries: 4,
    snapshotRatio: 0,
    bootstrap: {
      clusterId: "c",
      membership: membershipOf({ voters: [{ id: "n1", address: "n1", incarnation: "" }] }),
    },
  }));
  await time.settle(node.leadership());
  const slow = node.propose(SLOW);
  await time.until(() => node.inspect().commitIndex === 3);
  const quick = node.propose(QUICK);
  await time.until(() => node.inspect().commitIndex === 4);
  assert.equal(node.inspect().appliedIndex, 2, "the slow command is being applied");
  // It waits for the quick command, which is committed.
  const read = node.read(new Uint8Array());
  await time.settle(Promise.all([slow, quick, read]));
  await time.until(() => node.inspect().snapshot !== null);
  assert.deepEqual(machine.overlaps, []);
  assert.deepEqual(machine.ended, ["slow command", "quick command", "query", "snapshot"]);
  await time.settle(node.close());
});
