/**
 * All floods.
 *
 * @module
 */

import type { Flood } from "./attack.ts";
import { CONNECTION_FLOODS } from "./connection_floods.ts";
import { MESSAGE_FLOODS } from "./message_floods.ts";
import { READER_FLOODS } from "./reader_floods.ts";

/** The floods, in the order in which they are measured. */
export const FLOODS: readonly Flood[] = [...MESSAGE_FLOODS, ...CONNECTION_FLOODS, ...READER_FLOODS];
