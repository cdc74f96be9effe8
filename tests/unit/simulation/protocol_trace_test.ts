import assert from "node:assert/strict";
import { simulate } from "../../../simulation/mod.ts";
import type { ProtocolEvent, SimulationOptions } from "../../../simulation/mod.ts";

/** Short runs with elections, membership changes, snapshots, crashes and lost messages. */
const OPTIONS: Omit<SimulationOptions, "seed"> = {
  nodes: 3,
  durationMs: 3000,
  liars: false,
  node: { snapshotEntries: 15, trailingEntries: 0 },
  faults: [
    "loss",
    "duplication",
    "delay",
    "partition",
    "crash",
    "powerFailure",
    "member",
    "joint",
    "transfer",
    "snapshot",
  ],
};

/** Kinds of events that depend on the seed. */
const RARE = ["end", "changeMembership", "snapshotTaken", "compact", "installSnapshot"] as const;

async function eventsOf(options: SimulationOptions): Promise<ProtocolEvent[]> {
  const events: ProtocolEvent[] = [];
  const { verdict } = await simulate({ ...options, onProtocolEvent: (event) => events.push(event) });
  assert.equal(verdict, "passed");
  return events;
}

/** Finds the first run in which everything happens. */
async function findRun(): Promise<readonly [SimulationOptions, readonly ProtocolEvent[]]> {
  for (let seed = 40; seed < 140; seed++) {
    const events = await eventsOf({ ...OPTIONS, seed });
    const kinds = new Set<string>(events.map(({ kind }) => kind));
    if (RARE.every((kind) => kinds.has(kind))) return [{ ...OPTIONS, seed }, events];
  }
  return assert.fail("no run has all kinds of events");
}

let found: ReturnType<typeof findRun> | null = null;
/** Returns a run in which everything happens, and its events. */
const run = (): ReturnType<typeof findRun> => found ??= findRun();

Deno.test("recording the protocol changes nothing, and gives the same bytes for the same seed", async () => {
  const [options, events] = await run();
  const plain = await simulate(options);
  const traced = await simulate({ ...options, onProtocolEvent: () => {} });
  assert.deepEqual(traced, plain);
  assert.equal(JSON.stringify(await eventsOf(options)), JSON.stringify(events));
  assert.notEqual(JSON.stringify(await eventsOf({ ...options, seed: options.seed + 1 })), JSON.stringify(events));
});

Deno.test("a trace has the events in order, each with the state after it", async () => {
  const [, events] = await run();
  const kinds = new Set(events.map(({ kind }) => kind));
  for (
    const kind of ["load", "start", "write", "written", "tick", "receive", "propose", "persisted", "send"] as const
  ) {
    assert.ok(kinds.has(kind), `no ${kind}`);
  }
  const last = new Map<string, ProtocolEvent>();
  for (const [at, event] of events.entries()) {
    assert.equal(event.event, at + 1);
    assert.ok(at === 0 || event.atMs >= events[at - 1]!.atMs);
    const before = last.get(event.node)?.state;
    if (event.kind === "end") last.delete(event.node);
    if (event.state === undefined) continue;
    const { term, commitIndex, lastIndex, durableIndex, snapshotIndex } = event.state;
    assert.ok(commitIndex <= lastIndex && durableIndex <= lastIndex && snapshotIndex <= commitIndex, `${event.event}`);
    if (before === undefined) assert.equal(event.kind, "start");
    else assert.ok(term >= before.term, `${event.event}`);
    last.set(event.node, event);
  }
});

Deno.test("a received message names the event that sent it", async () => {
  const [, events] = await run();
  let received = 0;
  for (const event of events) {
    if (event.kind !== "receive") continue;
    received++;
    const [at, position] = event.sentBy!;
    const sent = events[at - 1]!;
    assert.equal(sent.kind, "send");
    assert.equal(sent.node.replace(/\.\d+$/, ""), event.from);
    assert.ok(at < event.event);
    const { to, message } = sent.messages![position]!;
    assert.equal(to, event.node.replace(/\.\d+$/, ""));
    // A decoded message may have its fields in another order.
    assert.deepEqual(message, event.message);
  }
  assert.ok(received > 100, `${received} messages`);
});

Deno.test("a trace has the memberships, and the entries of writes and messages without their commands", async () => {
  const [, events] = await run();
  const first = events.find(({ kind }) => kind === "start")!;
  const voters = ["n1.0", "n2.0", "n3.0"];
  assert.deepEqual(first.state!.membership, { voters, outgoing: [], learners: [], learnersNext: [] });
  const changes = events.filter(({ kind }) => kind === "changeMembership");
  for (const { state } of changes) assert.notDeepEqual(state!.membership, first.state!.membership);
  const types = new Set(events.flatMap(({ entries }) => entries ?? []).map(({ type }) => type));
  assert.deepEqual([...types].sort(), ["command", "membership", "noop"]);
  assert.ok(!JSON.stringify(events).includes(`"data"`));
  const taken = events.find(({ kind }) => kind === "snapshotTaken")!;
  assert.ok(taken.snapshot!.index === taken.state!.snapshotIndex && taken.snapshot!.membership.voters.length > 0);
});
