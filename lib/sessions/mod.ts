/**
 * Exactly-once around any state machine.
 *
 * @module
 */

export { Sessions } from "./sessions.ts";
export type { SessionLimits } from "./session_table.ts";
export {
  decodeEntry,
  decodeReply,
  encodePlain,
  encodeRegister,
  encodeReply,
  encodeSessionCommand,
} from "./session_codec.ts";
export type { SessionCommand, SessionEntry, SessionReply } from "./session_codec.ts";
