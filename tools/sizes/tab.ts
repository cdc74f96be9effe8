/** What a page needs of the library to run a node in a tab: its bundle's size is kept within bounds by build.ts. */

import { Coordinator, RaftNode, Sessions } from "../../mod.ts";
import { createIndexedDbStorage } from "../../storage/indexeddb/mod.ts";
import {
  BroadcastChannelTransport,
  MessagePortHub,
  MessagePortTransport,
  serveNode,
  tabAddress,
} from "../../transport/tab/mod.ts";

Object.assign(globalThis, {
  raft: {
    ...{
      BroadcastChannelTransport,
      Coordinator,
      MessagePortHub,
      MessagePortTransport,
      createIndexedDbStorage,
      RaftNode,
    },
    ...{ serveNode, Sessions, tabAddress },
  },
});
