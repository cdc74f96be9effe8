import assert from "node:assert/strict";
import { RaftNode } from "../../../lib/node/mod.ts";
import { membershipOf } from "../../../lib/raft/mod.ts";
import { MemoryStorage } from "../../../storage/memory.ts";
import { MemoryNetwork } from "../../../transport/memory.ts";
import { Journal } from "../../support/journal.ts";
import { VirtualTime } from "../../support/virtual_time.ts";
import type { Host } from "../../../lib/clock.ts";

/** Counts the timers of a host that have neither fired nor been cancelled. */
function counting(host: Host): { readonly host: Host; readonly set: Set<number> } {
  const set = new Set<number>();
  let last = 0;
  const clock: Host["clock"] = {
    monotonicMs: () => host.clock.monotonicMs(),
    wallMs: () => host.clock.wallMs(),
    setTimer(delayMs, callback) {
      const id = ++last;
      set.add(id);
      const cancel = host.clock.setTimer(delayMs, () => {
        set.delete(id);
        callback();
      });
      return () => {
        set.delete(id);
        cancel();
      };
    },
  };
  return { host: { clock, random: () => host.random(), enqueue: (task) => host.enqueue(task) }, set };
}

Deno.test("a node that was closed has no timer left, so that its process can end", async () => {
  const time = new VirtualTime(1);
  const network = new MemoryNetwork({ host: time.host() });
  const { host, set } = counting(time.host());
  const members = ["n1", "n2"].map((id) => ({ id, address: id, incarnation: "" }));
  const start = (id: string, on: Host) =>
    time.settle(RaftNode.start({
      id,
      address: id,
      stateMachine: new Journal(),
      storage: new MemoryStorage(),
      transport: network.transport(id),
      host: on,
      bootstrap: { clusterId: "c", membership: membershipOf({ voters: members }) },
    }));
  const [one, two] = [await start("n1", host), await start("n2", time.host())];
  await time.until(() => one.isLeader || two.isLeader);
  assert.ok(set.size > 0);
  await time.settle(one.close());
  assert.equal(set.size, 0);
  await time.settle(two.close());
});
