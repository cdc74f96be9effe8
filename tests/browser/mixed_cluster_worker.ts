/** A voter of a cluster of servers, in a worker that gets a port to the relay from its page. */

import { startBrowserNode } from "../../browser/mod.ts";
import { KeyValue } from "../../lib/kv/key_value.ts";
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
