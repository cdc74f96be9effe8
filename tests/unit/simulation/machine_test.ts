import assert from "node:assert/strict";
import { MachineClock } from "../../../simulation/machine/clock.ts";
import { Disk, FOLDER } from "../../../simulation/machine/disk.ts";
import { Process } from "../../../simulation/machine/process.ts";
import { Run } from "../../../simulation/run.ts";

const SECOND = 1_000_000;

function newProcess(run: Run, rate = 1): { process: Process; clock: MachineClock } {
  const clock = new MachineClock(() => run.scheduler.nowUs, rate, 0);
  const process = new Process(run, { name: "n1" }, clock, run.decisions.stream("n1"));
  return { process, clock };
}

Deno.test("a fast clock fires its timers early, but never early by its own time", async () => {
  const run = new Run(1, null, false);
  const { process } = newProcess(run, 1.25);
  let firedMs = 0;
  process.clock.setTimer(1000, () => firedMs = run.scheduler.nowMs);
  await run.scheduler.run(2 * SECOND);
  assert.equal(firedMs, 800);
  assert.equal(process.clock.monotonicMs(), 2500);
});

Deno.test("in sleep the monotonic clock is paused, and timers wait; the wall clock continues", async () => {
  const run = new Run(1, null, false);
  const { process, clock } = newProcess(run);
  let firedMs = 0;
  process.clock.setTimer(1000, () => firedMs = run.scheduler.nowMs);
  const wallMs = process.clock.wallMs();
  run.scheduler.at(0.5 * SECOND, null, () => {
    process.freeze();
    clock.sleep();
  });
  run.scheduler.at(2.5 * SECOND, null, () => {
    clock.wake();
    process.thaw();
  });
  await run.scheduler.run(4 * SECOND);
  assert.equal(firedMs, 3000);
  assert.equal(process.clock.monotonicMs(), 2000);
  assert.equal(process.clock.wallMs() - wallMs, 4000);
});

Deno.test("a killed process does nothing; a frozen one catches up", async () => {
  const run = new Run(1, null, false);
  const { process } = newProcess(run);
  const seen: string[] = [];
  process.freeze();
  process.enqueue(() => seen.push("task"));
  process.receive(() => seen.push("message"));
  process.clock.setTimer(1, () => seen.push("timer"));
  await run.scheduler.run(10_000);
  assert.equal(seen.length, 0);
  process.thaw();
  await run.scheduler.run(20_000);
  assert.equal(seen.toSorted().join(), "message,task,timer");
  process.enqueue(() => seen.push("after"));
  process.clock.setTimer(1, () => seen.push("after"));
  process.kill();
  process.enqueue(() => seen.push("after"));
  await run.scheduler.run(30_000);
  assert.equal(seen.length, 3);
});

for (const when of ["before", "after"] as const) {
  Deno.test(`a crash ${when} an operation ends the process there`, () => {
    const { process } = newProcess(new Run(1, null, false));
    const done: number[] = [];
    process.light(3, when, () => process.kill());
    for (let i = 1; i <= 5; i++) process.perform(() => done.push(i));
    assert.deepEqual(done, when === "before" ? [1, 2] : [1, 2, 3]);
    assert.ok(!process.alive);
  });
}

Deno.test("a full disk stores as much as fits and reports it; one whose sync failed may not be synced again", async () => {
  const run = new Run(1, null, false);
  const { process } = newProcess(run);
  const disk = new Disk(run, 0, run.decisions.stream("disk"));
  disk.begin(process, null);
  const outcome: string[] = [];
  (async () => {
    const { fileSystem } = disk;
    await fileSystem.makeDirectory(FOLDER);
    const file = await fileSystem.open(`${FOLDER}/log-0000000001`, "create");
    disk.troubles.room = 10;
    outcome.push(String(await file.write(new Uint8Array(25), 0)));
    await file.write(new Uint8Array(15), 10).catch((error) => outcome.push(error.code));
    // Overwriting needs no space.
    outcome.push(String(await file.write(new Uint8Array(5), 0)));
    disk.heal();
    disk.troubles.next.set("sync", "EIO");
    await file.sync().catch((error) => outcome.push(error.code));
    assert.equal(run.violation, null);
    await file.sync();
  })();
  await run.scheduler.run(SECOND);
  assert.deepEqual(outcome, ["10", "ENOSPC", "5", "EIO"]);
  assert.equal(run.violation?.invariant, "a disk in doubt is left alone");
});

Deno.test("rot changes a byte that was durable before the last sync, and no other", async () => {
  const run = new Run(1, null, false);
  const { process } = newProcess(run);
  const disk = new Disk(run, 0, run.decisions.stream("disk"));
  disk.begin(process, null);
  const path = `${FOLDER}/log-0000000001`;
  (async () => {
    const { fileSystem } = disk;
    await fileSystem.makeDirectory(FOLDER);
    const file = await fileSystem.open(path, "create");
    await file.write(new Uint8Array(100), 0);
    await file.sync();
    await fileSystem.syncDirectory(FOLDER);
    assert.equal(disk.rot(), null, "all of it was synced last");
    await file.write(new Uint8Array(100), 100);
    await file.sync();
    for (let i = 0; i < 50; i++) assert.match(disk.rot() ?? "", new RegExp(`^${path} at \\d{1,2}$`));
    const bytes = new Uint8Array(200);
    await file.read(bytes, 0);
    assert.ok(bytes.subarray(0, 100).some((byte) => byte !== 0));
    assert.ok(bytes.subarray(100).every((byte) => byte === 0));
  })();
  await run.scheduler.run(SECOND);
});
