/** A voter of a cluster of servers, in a worker, which its page gives a port to the relay. */

import { startBrowserNode } from "../../browser/mod.ts";
import { KeyValue } from "../../lib/kv/mod.ts";
import { createIndexedDbStorage } from "../../storage/indexeddb/mod.ts";
import { relayPortTransport } from "../../transport/relay/mod.ts";

const port = await new Promise<MessagePort>((resolve) => {
  addEventListener("message", ({ data }: MessageEvent<{ readonly relay?: MessagePort } | null>) => {
    if (data?.relay !== undefined) resolve(data.relay);
  });
});

await startBrowserNode({
  clusterId: "mixed",
  id: "t1",
  storage: createIndexedDbStorage,
  transport: (place) => relayPortTransport({ ...place, port }),
  stateMachine: new KeyValue(),
  join: { as: "voter" },
});
