/**
 * A node of the demo, in a dedicated worker of its own: real IndexedDB, real
 * messages. Its page ends it by ending the worker, as a power cut ends a machine.
 *
 * @module
 */

import { startDemoNode } from "./node/demo_node.ts";
import type { NodeSettings } from "./node/settings.ts";

addEventListener("message", (event) => void startDemoNode((event as MessageEvent<NodeSettings>).data), { once: true });
