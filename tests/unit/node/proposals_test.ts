import assert from "node:assert/strict";
import { RaftError } from "../../../lib/errors.ts";
import { Proposals } from "../../../lib/node/proposals.ts";
import type { Raft } from "../../../lib/raft/mod.ts";
import type { Entry, Refused } from "../../../lib/raft/types.ts";

const data = new Uint8Array([1]);
const entry = (index: number, term: number): Entry => ({ index, term, type: "command", data });

function make(maxBytes = 1000) {
  const now = { ms: 0 };
  const host = { clock: { monotonicMs: () => now.ms } };
  const proposals = new Proposals({
    config: { host, maxUncommittedBytes: maxBytes, electionTimeoutMs: 100 },
    events: { emit: () => {} },
  });
  return { proposals, now };
}

const target = (firstIndex: number, term: number): Pick<Raft, "propose"> => ({
  propose: () => ({ ok: true, firstIndex, term }),
});
const BUSY: Refused = { ok: false, reason: "busy", detail: "" };
const explain = ({ reason }: Refused) => new RaftError("busy", reason);

async function outcome(promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => "done", (error: RaftError) => `${error.code} ${error.outcome}`);
}

Deno.test("a proposal ends with the answer of its entry, by index and term", async () => {
  const { proposals } = make();
  const first = proposals.add(data, undefined);
  const second = proposals.add(data, undefined);
  proposals.submit(target(7, 3), explain);
  proposals.applied(entry(7, 3), new Uint8Array([9]));
  proposals.applied(entry(8, 4), new Uint8Array([8]));
  assert.deepEqual(await first, { index: 7, term: 3, result: new Uint8Array([9]) });
  assert.equal(await outcome(second), "leadership_lost rejected");
  assert.deepEqual([proposals.count, proposals.bytes], [0, 0], "counters are zero when idle (rule 10)");
});

Deno.test("orphans end by the entry committed in their place, or as unknown", async () => {
  const { proposals, now } = make();
  const all = [1, 2, 3, 4].map(() => outcome(proposals.add(data, undefined)));
  proposals.submit(target(5, 2), explain);
  proposals.orphan();
  proposals.applied(entry(5, 2), data);
  proposals.applied({ ...entry(6, 3), type: "noop" }, null);
  now.ms = 99;
  proposals.tick();
  assert.equal(proposals.count, 2);
  now.ms = 100;
  proposals.tick();
  assert.deepEqual(await Promise.all(all), [
    "done",
    "leadership_lost rejected",
    "leadership_lost unknown",
    "leadership_lost unknown",
  ]);
  assert.equal(proposals.bytes, 0);
});

Deno.test("a batch that is too large as a whole is accepted in part", async () => {
  const { proposals } = make();
  const all = [1, 2, 3].map(() => outcome(proposals.add(data, undefined)));
  let taken = 0;
  proposals.submit({
    propose: (commands) => commands.length > 1 || taken === 2 ? BUSY : { ok: true, firstIndex: ++taken, term: 1 },
  }, explain);
  proposals.applied(entry(1, 1), data);
  proposals.applied(entry(2, 1), data);
  assert.deepEqual(await Promise.all(all), ["done", "done", "busy rejected"]);
});

Deno.test("the caller's bytes are copied, and a single large command is accepted while nothing waits", async () => {
  const { proposals } = make(10);
  const command = new Uint8Array(100).fill(1);
  const proposed = proposals.add(command, undefined);
  assert.equal(await outcome(proposals.add(data, undefined)), "busy rejected");
  command.fill(2);
  proposals.submit({
    propose: ([bytes]) => {
      assert(bytes!.every((byte) => byte === 1));
      return { ok: true, firstIndex: 1, term: 1 };
    },
  }, explain);
  proposals.applied(entry(1, 1), data);
  await proposed;
});

Deno.test("endAll rejects commands that are not in the log, or follow the given index", async () => {
  const { proposals } = make();
  const logged = [1, 2].map(() => outcome(proposals.add(data, undefined)));
  proposals.submit(target(5, 2), explain);
  const queued = outcome(proposals.add(data, undefined));
  proposals.endAll((end) => new RaftError("storage", "end", { outcome: end }), 5);
  assert.deepEqual(await Promise.all([...logged, queued]), ["storage unknown", "storage rejected", "storage rejected"]);
  assert.equal(proposals.bytes, 0);
});

Deno.test("an aborted orphan does not end a newer proposal at its index", async () => {
  const { proposals } = make();
  const caller = new AbortController();
  const orphan = outcome(proposals.add(data, caller.signal));
  proposals.submit(target(5, 2), explain);
  proposals.orphan();
  const newer = outcome(proposals.add(data, undefined));
  proposals.submit(target(5, 4), explain);
  caller.abort();
  assert.equal(await orphan, "aborted unknown");
  proposals.applied(entry(5, 4), data);
  assert.equal(proposals.count, 0);
  assert.equal(await newer, "done");
});

Deno.test("figure 8: an orphan of an earlier leadership is never rejected by what a later one has sent", async () => {
  const { proposals } = make();
  const all = [1, 2].map(() => outcome(proposals.add(data, undefined)));
  proposals.submit(target(5, 2), explain);
  proposals.orphan();
  const queued = outcome(proposals.add(data, undefined));
  proposals.submit(target(5, 4), explain);
  proposals.endAll((outcome) => new RaftError("storage", "no space", { outcome }), 4);
  assert.deepEqual(await Promise.all([...all, queued]), ["storage unknown", "storage unknown", "storage rejected"]);
});

Deno.test("one signal ends all its proposals, and has no listener once they have ended", async () => {
  const { proposals } = make();
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>): void => (listeners++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>): void => (listeners--, remove(...args));
  const logged = [1, 2, 3].map(() => outcome(proposals.add(data, signal)));
  assert.equal(listeners, 1, "one listener for all");
  proposals.submit(target(1, 1), explain);
  proposals.applied(entry(1, 1), data);
  const queued = outcome(proposals.add(data, signal));
  assert.equal(listeners, 1);
  controller.abort();
  const aborted = ["aborted unknown", "aborted unknown", "aborted rejected"];
  assert.deepEqual(await Promise.all([...logged, queued]), ["done", ...aborted]);
  assert.deepEqual([listeners, proposals.count, proposals.bytes], [0, 0, 0]);
});
