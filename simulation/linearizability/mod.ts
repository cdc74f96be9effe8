/**
 * A checker of recorded histories: every answer must be that of a single copy.
 */

export { checkLinearizable } from "./check.ts";
export type { CheckOptions, LinearizabilityVerdict } from "./check.ts";
export type { Model, Operation } from "./history.ts";
export { keyValueModel } from "./key_value_model.ts";
export type { KeyValueInput, KeyValueModelState, KeyValueOutput, KeyValueWritten } from "./key_value_model.ts";
export { registerModel } from "./models.ts";
export type { RegisterInput, RegisterOutput } from "./models.ts";
