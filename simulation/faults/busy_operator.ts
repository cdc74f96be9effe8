/**
 * An operator of a share of the runs who never rests: transfers, snapshots and membership
 * changes follow one another, whatever else happens, so that what operators are told is
 * checked in all circumstances.
 */

import type { Decisions } from "../decisions.ts";
import type { PlanOverrides } from "../plan.ts";
import type { Run } from "../run.ts";
import type { Cluster } from "./cluster.ts";
import { changeOne } from "./operator.ts";

const SHARE = 1 / 6;

/** Reports whether a run has such an operator; none has that is given its faults. */
export function drawBusyOperator(decisions: Decisions, { faults }: PlanOverrides): boolean {
  return faults === undefined && decisions.stream("plan busy operator").chance(SHARE);
}

/** Sends requests until the faults are over. */
export async function operate(run: Run, cluster: Cluster): Promise<void> {
  run.trace.count("seed: busy operator");
  const chance = run.decisions.stream("busy operator");
  for (;;) {
    chance.next();
    await run.scheduler.sleep(1000 * chance.between(100, 1500));
    if (run.calm) return;
    const machine = chance.pick(cluster.all)!;
    const kind = chance.below(10);
    if (!chance.strikes("request", 1)) continue;
    if (kind < 6) void cluster.transfer(kind < 4 ? machine : undefined);
    else if (kind < 9) {
      if (machine.node !== null && !machine.process?.frozen) void cluster.snapshot(machine);
    } else void changeOne(cluster, machine, chance);
  }
}
