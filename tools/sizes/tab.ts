/** The parts of the library that a page needs to run a node in a tab: build.ts limits the size of their bundle. */

import { Coordinator, RaftNode, Sessions } from "../../mod.ts";
import { createIndexedDbStorage } from "../../storage/indexeddb/mod.ts";
import { BroadcastChannelTransport, serveNode, tabAddress } from "../../transport/tab/mod.ts";

Object.assign(globalThis, {
  raft: { BroadcastChannelTransport, Coordinator, createIndexedDbStorage, RaftNode, serveNode, Sessions, tabAddress },
});
