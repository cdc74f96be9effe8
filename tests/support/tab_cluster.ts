/** Three nodes on transports of tabs. */

import { KeyValue } from "../../lib/kv/key_value.ts";
import { RaftNode } from "../../lib/node/raft_node.ts";
import { membershipOf } from "../../lib/raft/membership.ts";
import { Sessions } from "../../lib/sessions/sessions.ts";
import { MemoryStorage } from "../../storage/memory.ts";
import { serveNode, tabAddress } from "../../transport/tab/mod.ts";
import type { TabTransport } from "../../transport/tab/mod.ts";

/** Their addresses. */
export const addresses: readonly string[] = ["n1", "n2", "n3"].map(tabAddress);

/** Starts the nodes in memory; each answers calls. @param join makes a transport at an address */
export async function startThree(join: (address: string) => TabTransport): Promise<RaftNode[]> {
  const members = addresses.map((address) => ({ id: address.slice("tab:".length), address, incarnation: "" }));
  return await Promise.all(members.map(async ({ id, address }) => {
    const transport = join(address);
    const node = await RaftNode.start({
      id,
      address,
      transport,
      storage: new MemoryStorage(),
      stateMachine: new Sessions(new KeyValue()),
      bootstrap: { clusterId: "c", membership: membershipOf({ voters: members }) },
      electionTimeoutMs: 300,
      heartbeatIntervalMs: 30,
    });
    transport.serve(serveNode(node));
    return node;
  }));
}
