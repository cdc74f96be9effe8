/** The same as tab.ts with the relay: a page whose nodes are members of a cluster of servers. */

import { RelayClient, relayPortTransport } from "../../transport/relay/mod.ts";
import "./tab.ts";

Object.assign(globalThis, { relay: { RelayClient, relayPortTransport } });
