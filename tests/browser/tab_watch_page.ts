/** A transport on the channel of all such pages, with its peers: `globalThis.peers()`. */

import { BroadcastChannelTransport, tabAddress } from "../../transport/tab/mod.ts";

const address = tabAddress(new URLSearchParams(location.search).get("id") ?? "");
const transport = new BroadcastChannelTransport({ clusterId: "watch", address });
await transport.start(() => {});
Object.assign(globalThis, { peers: () => transport.peers });
