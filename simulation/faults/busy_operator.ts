/**
 * An operator of a share of the runs who never rests: transfers, snapshots and membership
 * changes follow one another, whatever else happens, so that what operators are told is
 * checked in all circumstances.
 */

import type { Decisions } from "../decisions.ts";
import type { PlanOverrides } from "../plan.ts";
import type { Machine } from "../machine/machine.ts";
import type { NemesisOptions } from "./nemesis.ts";
import { changeOne } from "./operator.ts";

const SHARE = 1 / 6;
/** The time from a request to the moment at which a successor falls silent. */
const SILENT_AFTER_US = 3000;

/** Reports whether a run has such an operator; none has that is given its faults. */
export function drawBusyOperator(decisions: Decisions, { faults }: PlanOverrides): boolean {
  return faults === undefined && decisions.stream("plan busy operator").chance(SHARE);
}

/** Sends requests until the faults are over. */
export async function operate({ run, plan, cluster, network }: NemesisOptions): Promise<void> {
  run.trace.count("seed: busy operator");
  const chance = run.decisions.stream("busy operator");
  /** Cuts off what some machines send, soon after the successor was told to campaign. */
  const silence = (machines: readonly Machine[], us: number): void => {
    run.scheduler.after(SILENT_AFTER_US, null, () => {
      if (run.calm) return;
      const mends = machines.flatMap(({ name: from }) => cluster.all.map(({ name: to }) => network.cut(from, to)));
      run.scheduler.after(us, null, () => mends.forEach((mend) => mend()));
    });
  };
  for (;;) {
    chance.next();
    await run.scheduler.sleep(1000 * chance.between(100, 1500));
    if (run.calm) return;
    const machine = chance.pick(cluster.all)!;
    const kind = chance.below(10);
    if (!chance.strikes("request", 1)) continue;
    if (kind < 6) {
      void cluster.transfer(kind < 4 ? machine : undefined);
      const silenced = chance.pick([[], [machine], [machine, cluster.leader ?? machine]])!;
      if (chance.chance(0.5)) silence(silenced, 1000 * plan.node.electionTimeoutMs * (1 + chance.unit()));
    } else if (kind < 9) {
      if (machine.node !== null && !machine.process?.frozen) void cluster.snapshot(machine);
    } else void changeOne(cluster, machine, chance);
  }
}
