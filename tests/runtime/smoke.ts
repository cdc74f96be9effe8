/** Checks of the foundations, which must behave the same in every runtime. */

import assert from "node:assert/strict";
import { decodeGetAnswer, encodeGet, encodePut } from "../../lib/kv/commands.ts";
import {
  crc32c,
  KeyValue,
  membershipOf,
  MemoryNetwork,
  MemoryStorage,
  RaftError,
  RaftNode,
  systemHost,
} from "../../mod.ts";
import type { Suite } from "./portable.ts";

/** The suite. */
export const smoke: Suite = {
  name: "smoke",
  cases: [
    {
      name: "CRC-32C of the check string (RFC 3720, appendix B.4)",
      run() {
        assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
        assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
      },
    },
    {
      name: "an error carries its code, outcome and hint",
      run() {
        const error = new RaftError("busy", "too much is under way", { hint: "try again" });
        assert.deepEqual([error.code, error.outcome, error.hint, error.name], [
          "busy",
          "rejected",
          "try again",
          "RaftError",
        ]);
        assert.ok(error instanceof Error);
      },
    },
    {
      name: "the system's task queue keeps its order",
      async run() {
        const host = systemHost();
        const order: number[] = [];
        await new Promise<void>((resolve) => {
          for (let i = 0; i < 100; i++) host.enqueue(() => order.push(i));
          host.enqueue(resolve);
        });
        assert.deepEqual(order, Array.from({ length: 100 }, (_, i) => i));
      },
    },
    {
      name: "a timer of the system's clock is never early, and can be cancelled",
      async run() {
        const { clock } = systemHost();
        const began = clock.monotonicMs();
        let cancelled = true;
        const cancel = clock.setTimer(5, () => cancelled = false);
        cancel();
        cancel();
        await new Promise<void>((resolve) => clock.setTimer(20, resolve));
        // A millisecond for the rounding of timers.
        assert.ok(clock.monotonicMs() - began >= 19);
        assert.ok(cancelled);
      },
    },
    {
      name: "three nodes in memory elect, replicate, and continue without their leader",
      async run() {
        const network = new MemoryNetwork();
        const ids = ["n1", "n2", "n3"];
        const membership = membershipOf({ voters: ids.map((id) => ({ id, address: id, incarnation: "" })) });
        const bytes = (text: string) => new TextEncoder().encode(text);
        const nodes = await Promise.all(ids.map((id) =>
          RaftNode.start({
            id,
            address: id,
            stateMachine: new KeyValue(),
            storage: new MemoryStorage(),
            transport: network.transport(id),
            bootstrap: { clusterId: "smoke", membership },
            electionTimeoutMs: 500,
            heartbeatIntervalMs: 50,
          })
        ));
        const leaderOf = (among: readonly RaftNode[]) =>
          Promise.any(among.map((node) => node.leadership().then(() => node)));
        try {
          const first = await leaderOf(nodes);
          const { index } = await first.propose(encodePut(bytes("colour"), bytes("green")));
          network.isolate(first.id);
          const second = await leaderOf(nodes.filter((node) => node !== first));
          const answer = decodeGetAnswer((await second.read(encodeGet(bytes("colour")))).result);
          assert.ok(answer.ok && answer.entry !== null);
          assert.equal(new TextDecoder().decode(answer.entry.value), "green");
          assert.equal(answer.entry.version, index);
        } finally {
          await Promise.all(nodes.map((node) => node.close()));
        }
      },
    },
  ],
};
