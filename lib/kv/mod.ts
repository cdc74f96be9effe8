/**
 * The replicated key-value state machine.
 *
 * @module
 */

export { KeyValue } from "./key_value.ts";
export type { KeyValueOptions } from "./key_value.ts";
export type { KeyValueChange, WatchOptions } from "./watch.ts";
export { KeyValueClient } from "./client.ts";
export type {
  BytesOrText,
  CompareResult,
  KeyValueClientOptions,
  KeyValueCluster,
  KeyValueList,
  KeyValueListOptions,
  KeyValueReading,
  KeyValueReadOptions,
  KeyValueWatchOptions,
  WatchSource,
} from "./client.ts";
export {
  decodeCommand,
  decodeGetAnswer,
  decodeListAnswer,
  decodeQuery,
  decodeWriteAnswer,
  encodeCommand,
  encodeDelete,
  encodeGet,
  encodeList,
  encodePut,
  encodeQuery,
  KEY_MAX_BYTES,
  LIST_MAX_ENTRIES,
  VALUE_MAX_BYTES,
} from "./commands.ts";
export type {
  DeleteCommand,
  ExpectedVersion,
  GetAnswer,
  GetQuery,
  InvalidAnswer,
  KeyValueCommand,
  KeyValueEntry,
  KeyValueQuery,
  ListAnswer,
  ListQuery,
  PutCommand,
  VersionedValue,
  WriteAnswer,
} from "./commands.ts";
