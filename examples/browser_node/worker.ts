// The node, in a worker of its page: see page.ts.
import { startBrowserNode } from "../../browser/mod.ts";
import { KeyValue } from "../../mod.ts";
import { createIndexedDbStorage } from "../../storage/indexeddb/mod.ts";
import { BroadcastChannelTransport } from "../../transport/tab/mod.ts";

const { name: id } = globalThis as unknown as { readonly name: string };
const members = ["n1", "n2", "n3"];

startBrowserNode({
  clusterId: "notes",
  id,
  storage: createIndexedDbStorage,
  transport: (place) => new BroadcastChannelTransport(place),
  stateMachine: new KeyValue(),
  // The first three bootstrap the cluster together; any other asks to be added, and gets the notes without a vote.
  ...(members.includes(id) ? { bootstrap: { members } } : { join: {} }),
}).catch(() => {}); // The page is notified.
