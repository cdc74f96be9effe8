/**
 * The parts of a run that surround each machine.
 */

import type { StateMachine } from "../../lib/state_machine.ts";
import type { Addresses } from "../addresses.ts";
import type { ApplicationChecks } from "../checks/application_checks.ts";
import type { ProtocolChecks } from "../checks/protocol_checks.ts";
import type { ServedCalls } from "../checks/served_calls.ts";
import type { Liar } from "../faults/liar.ts";
import type { Network } from "../network.ts";
import type { Plan } from "../plan.ts";
import type { Run } from "../run.ts";
import type { Served } from "./peer_calls.ts";

export interface Surroundings {
  readonly run: Run;
  readonly plan: Plan;
  readonly network: Network;
  readonly addresses: Addresses;
  readonly protocol: ProtocolChecks;
  readonly application: ApplicationChecks;
  /** The machines that its server may call, by their names. */
  readonly machines: ReadonlyMap<string, Served>;
  readonly served: ServedCalls;
  /** The member that lies; `null` if all tell the truth. */
  readonly liar: Liar | null;
  readonly stateMachine: () => StateMachine;
}
