/**
 * A simulator of a whole cluster in virtual time, from one seed, for tests of this
 * library and of your own state machines; and a checker of recorded histories.
 *
 * @module
 */

export { simulate } from "./simulate.ts";
export type { SimulationOptions, SimulationResult } from "./simulate.ts";
export { shrink } from "./shrink.ts";
export type { ShrinkOptions, Shrunk } from "./shrink.ts";
export { FAULTS } from "./plan.ts";
export type { FaultKind } from "./plan.ts";
export { DAMAGES } from "./machine/file_damage.ts";
export { INVARIANTS } from "./run.ts";
export type { Invariant, Violation } from "./run.ts";
export type { StoryLine } from "./trace.ts";
export type {
  ProtocolEvent,
  TracedEntry,
  TracedMembership,
  TracedMessage,
  TracedSnapshot,
  TracedState,
} from "./protocol_trace.ts";
export type { Request, RequestCluster, SendOptions, Workload } from "./clients/workload.ts";
export type { Stream } from "./decisions.ts";
export { checkLinearizable, keyValueModel, registerModel } from "./linearizability/mod.ts";
export type {
  CheckOptions,
  KeyValueInput,
  KeyValueModelState,
  KeyValueOutput,
  KeyValueWritten,
  LinearizabilityVerdict,
  Model,
  Operation,
  RegisterInput,
  RegisterOutput,
} from "./linearizability/mod.ts";
