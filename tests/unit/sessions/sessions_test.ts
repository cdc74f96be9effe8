import assert from "node:assert/strict";
import {
  decodeEntry,
  decodeReply,
  encodePlain,
  encodeRegister,
  encodeReply,
  encodeSessionCommand,
  type SessionReply,
} from "../../../lib/sessions/session_codec.ts";
import type { SessionLimits } from "../../../lib/sessions/session_table.ts";
import { Sessions } from "../../../lib/sessions/sessions.ts";
import type { AppliedCommand, StateMachine } from "../../../lib/state_machine.ts";
import { seededRandom } from "../../support/virtual_host.ts";
import { collect, recut, sameBytes } from "../../support/snapshots.ts";

/** Remembers all commands; answers with the text and how often it came. */
class Recorder implements StateMachine {
  applied: string[] = [];
  readonly #async: boolean;

  constructor(async = false) {
    this.#async = async;
  }

  apply({ data }: AppliedCommand): Uint8Array | Promise<Uint8Array> {
    this.applied.push(text(data));
    const answer = bytes(`${text(data)}:${this.applied.length}`);
    return this.#async ? Promise.resolve(answer) : answer;
  }

  query(query: Uint8Array): Uint8Array {
    return bytes(`${text(query)}?${this.applied.length}`);
  }

  async *snapshot(): AsyncIterable<Uint8Array> {
    yield await Promise.resolve(bytes(JSON.stringify(this.applied)));
  }

  async restore(snapshot: AsyncIterable<Uint8Array>): Promise<void> {
    this.applied = JSON.parse(text(await collect(snapshot)));
  }
}

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

class Machine {
  readonly inner: Recorder;
  readonly sessions: Sessions;
  index = 0;

  constructor(limits: SessionLimits = {}, inner = new Recorder()) {
    this.inner = inner;
    this.sessions = new Sessions(inner, limits);
  }

  async apply(data: Uint8Array): Promise<SessionReply> {
    return decodeReply(await this.sessions.apply({ index: ++this.index, term: 1, data }));
  }

  async register(): Promise<number> {
    const reply = await this.apply(encodeRegister());
    assert.equal(reply.type, "registered");
    return reply.type === "registered" ? reply.session : 0;
  }

  /** The answer's text and index, or the kind of refusal. */
  async command(session: number, sequence: number, lowest: number, command: string): Promise<string> {
    const data = encodeSessionCommand({ session, sequence, lowestOutstanding: lowest, command: bytes(command) });
    const reply = await this.apply(data);
    return reply.type === "applied" ? `${text(reply.result)} @${reply.index}` : reply.type;
  }
}

for (const async of [false, true]) {
  Deno.test(`sessions: a repeated command gets the first answer and is applied once (async ${async})`, async () => {
    const machine = new Machine({}, new Recorder(async));
    machine.index = 6;
    const session = await machine.register();
    assert.equal(session, 7);
    assert.equal(await machine.command(session, 1, 1, "a"), "a:1 @8");
    assert.equal(await machine.command(session, 1, 1, "a"), "a:1 @8");
    // Out of order, each once.
    assert.equal(await machine.command(session, 4, 1, "d"), "d:2 @10");
    assert.equal(await machine.command(session, 2, 1, "b"), "b:3 @11");
    assert.equal(await machine.command(session, 4, 1, "d"), "d:2 @10");
    assert.equal(await machine.command(session, 3, 1, "c"), "c:4 @13");
    assert.equal(await machine.command(session, 1, 1, "a"), "a:1 @8");
    assert.deepEqual(machine.inner.applied, ["a", "d", "b", "c"]);
  });
}

Deno.test("sessions: below the lowest outstanding is stale, for ever, and was applied at most once", async () => {
  const machine = new Machine();
  const session = await machine.register();
  await machine.command(session, 1, 1, "a");
  await machine.command(session, 2, 1, "b");
  assert.equal(await machine.command(session, 5, 3, "e"), "e:3 @4");
  assert.equal(await machine.command(session, 1, 1, "a"), "stale");
  // Never seen, but given up by the client.
  assert.equal(await machine.command(session, 5, 5, "e"), "e:3 @4");
  assert.equal(await machine.command(session, 4, 3, "d"), "stale");
  assert.equal(await machine.command(session, 4, 4, "d"), "stale");
  assert.deepEqual(machine.inner.applied, ["a", "b", "e"]);
});

Deno.test("sessions: commands without a session pass through, queries too; sessions are independent of each other", async () => {
  const machine = new Machine();
  const [one, two] = [await machine.register(), await machine.register()];
  assert.deepEqual(await machine.apply(encodePlain(bytes("p"))), { type: "applied", index: 3, result: bytes("p:1") });
  assert.equal((await machine.apply(encodePlain(bytes("p")))).type, "applied");
  assert.equal(await machine.command(one, 1, 1, "x"), "x:3 @5");
  assert.equal(await machine.command(two, 1, 1, "y"), "y:4 @6");
  assert.equal(text(await machine.sessions.query(bytes("q"))), "q?4");
});

Deno.test("sessions: an unknown session is refused and not created", async () => {
  const machine = new Machine();
  assert.equal(await machine.command(99, 1, 1, "a"), "session_expired");
  assert.equal(machine.sessions.size, 0);
  assert.deepEqual(machine.inner.applied, []);
});

Deno.test("sessions: one session too many ends the one whose last command is oldest; it is never recreated", async () => {
  const machine = new Machine({ maxSessions: 2 });
  const [one, two] = [await machine.register(), await machine.register()];
  await machine.command(one, 1, 1, "a");
  const three = await machine.register();
  assert.equal(await machine.command(two, 1, 1, "b"), "session_expired");
  assert.equal(await machine.command(one, 1, 1, "a"), "a:1 @3");
  assert.equal(await machine.command(three, 1, 1, "c"), "c:2 @7");
  assert.equal(machine.sessions.size, 2);
});

Deno.test("sessions: a session expires after a number of log entries without a command of its own", async () => {
  const machine = new Machine({ maxIdleEntries: 10 });
  const session = await machine.register();
  machine.index += 9;
  assert.equal(await machine.command(session, 1, 1, "a"), "a:1 @11");
  machine.index += 10;
  assert.equal(await machine.command(session, 1, 1, "a"), "session_expired");
  assert.deepEqual(machine.inner.applied, ["a"]);
});

Deno.test("sessions: a sequence too far ahead is refused, and may come later", async () => {
  const machine = new Machine({ maxOutstanding: 3 });
  const session = await machine.register();
  assert.equal(await machine.command(session, 3, 1, "c"), "c:1 @2");
  assert.equal(await machine.command(session, 4, 1, "d"), "too_many_outstanding");
  assert.equal(await machine.command(session, 4, 2, "d"), "d:2 @4");
});

Deno.test("sessions: an answer that doesn't fit is not kept, but that it was applied is", async () => {
  const machine = new Machine({ maxReplyBytes: 10 });
  const session = await machine.register();
  assert.equal(await machine.command(session, 1, 1, "12345"), "12345:1 @2");
  assert.equal(await machine.command(session, 2, 1, "67890"), "67890:2 @3");
  assert.equal(await machine.command(session, 1, 1, "12345"), "12345:1 @2");
  assert.equal(await machine.command(session, 2, 1, "67890"), "reply_dropped");
  // A settled command makes room.
  assert.equal(await machine.command(session, 3, 2, "abcde"), "abcde:3 @6");
  assert.equal(await machine.command(session, 3, 2, "abcde"), "abcde:3 @6");
  assert.equal(machine.inner.applied.length, 3);
});

Deno.test("sessions: too many bytes of answers in all end the oldest sessions, never the newest", async () => {
  const machine = new Machine({ maxTotalReplyBytes: 25 });
  const [one, two] = [await machine.register(), await machine.register()];
  await machine.command(one, 1, 1, "0123456789");
  await machine.command(two, 1, 1, "0123456789");
  await machine.command(two, 2, 1, "0123456789");
  assert.equal(await machine.command(one, 2, 2, "x"), "session_expired");
  assert.equal(await machine.command(two, 2, 2, "x"), "0123456789:3 @5");
});

Deno.test("sessions: an answer that just fits is kept", async () => {
  const machine = new Machine({ maxReplyBytes: 7 });
  const session = await machine.register();
  for (let i = 0; i < 2; i++) assert.equal(await machine.command(session, 1, 1, "12345"), "12345:1 @2");
});

Deno.test("sessions: the newest session stays, even if its answers alone are too many bytes", async () => {
  const machine = new Machine({ maxTotalReplyBytes: 5 });
  const session = await machine.register();
  for (let i = 0; i < 2; i++) assert.equal(await machine.command(session, 1, 1, "0123456789"), "0123456789:1 @2");
  assert.equal(machine.sessions.size, 1);
});

Deno.test("sessions: a session with as many kept answers as it may have is restored", async () => {
  const limits = { maxOutstanding: 500, maxReplyBytes: 8 };
  const machine = new Machine(limits);
  machine.index = 2 ** 40;
  const session = await machine.register();
  for (let sequence = 1; sequence <= 500; sequence++) await machine.command(session, sequence, 1, "x");
  const restored = new Machine(limits);
  await restored.sessions.restore(recut(await collect(machine.sessions.snapshot()), seededRandom(1)));
  restored.index = machine.index;
  assert.equal(await restored.command(session, 500, 1, "x"), "reply_dropped");
  assert.equal(await restored.command(session, 501, 1, "x"), "too_many_outstanding");
});

Deno.test("sessions: a snapshot whose inner part can't be restored leaves the sessions as they were", async () => {
  const source = new Machine();
  const theirs = await source.register();
  const bytes = await collect(source.sessions.snapshot());
  const target = new Machine();
  target.index = 10;
  const own = await target.register();
  await target.command(own, 1, 1, "a");
  await assert.rejects(target.sessions.restore(recut(bytes.slice(0, -1), seededRandom(1))));
  assert.equal(await target.command(own, 1, 1, "a"), "a:1 @12");
  assert.equal(await target.command(theirs, 1, 1, "b"), "session_expired");
});

Deno.test("sessions: restores are atomic only if those of the state machine within are", () => {
  assert.equal(new Sessions(new Recorder()).restoresAtomically, false);
  assert.equal(new Sessions(Object.assign(new Recorder(), { restoresAtomically: true })).restoresAtomically, true);
});

Deno.test("sessions: malformed entries are answered, not thrown", async () => {
  const machine = new Machine();
  const session = await machine.register();
  const good = encodeSessionCommand({ session, sequence: 1, lowestOutstanding: 1, command: new Uint8Array(0) });
  const bad = [[], [9], [1, 0], [...good.slice(0, 2)], [2, session, 0, 0], [2, session, 1, 2], [
    2,
    ...Array(9).fill(255),
  ]];
  for (const entry of bad) assert.equal((await machine.apply(new Uint8Array(entry))).type, "malformed");
  assert.deepEqual(machine.inner.applied, []);
});

Deno.test("sessions: entries and replies survive encoding and decoding", () => {
  const numbers = { session: Number.MAX_SAFE_INTEGER, sequence: 300, lowestOutstanding: 128 };
  const entry = { type: "command" as const, ...numbers, command: bytes("c") };
  assert.deepEqual(decodeEntry(encodeSessionCommand(entry)), entry);
  const replies: SessionReply[] = [
    { type: "applied", index: 1000, result: bytes("r") },
    { type: "reply_dropped", index: 7 },
    { type: "registered", session: 9, maxOutstanding: 3 },
    { type: "session_expired" },
    { type: "stale" },
    { type: "too_many_outstanding" },
    { type: "malformed" },
  ];
  for (const reply of replies) assert.deepEqual(decodeReply(encodeReply(reply)), reply);
  assert.throws(() => decodeReply(new Uint8Array([77])), RangeError);
  assert.throws(() => decodeReply(new Uint8Array([4, 1])), RangeError);
});

for (const seed of [1, 2, 3, 4]) {
  Deno.test(`sessions: a node that restored a snapshot continues like one that didn't (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const limits = { maxSessions: 4, maxIdleEntries: 60, maxOutstanding: 8, maxReplyBytes: 40, maxTotalReplyBytes: 90 };
    const machine = new Machine(limits);
    let other = new Machine(limits);
    const registered: number[] = [];
    const appliedBy = new Map<string, number>();
    for (let step = 0; step < 1500; step++) {
      let data: Uint8Array;
      const session = registered[Math.max(0, registered.length - 1 - Math.floor(random() * 6))];
      if (session === undefined || random() < 0.05) data = encodeRegister();
      else {
        const sequence = 1 + Math.floor(step / 100) + Math.floor(random() * 10);
        const lowestOutstanding = Math.max(1, sequence - Math.floor(random() * 9));
        // The same command for the same sequence, as a client's repetitions are.
        const command = bytes(`${session}/${sequence}`);
        data = encodeSessionCommand({ session, sequence, lowestOutstanding, command });
      }
      const before = machine.inner.applied.length;
      const reply = await machine.apply(data);
      other.index = machine.index - 1;
      assert.deepEqual(await other.apply(data), reply);
      if (reply.type === "registered") registered.push(reply.session);
      for (const name of machine.inner.applied.slice(before)) {
        assert.equal(appliedBy.get(name), undefined, `${name} was applied twice`);
        appliedBy.set(name, machine.index);
        assert.equal(reply.type === "applied" && reply.index, machine.index);
      }
      if (step % 100 === 99) {
        const stream = machine.sessions.snapshot();
        const snapshot = await collect(stream);
        assert.ok(sameBytes(await collect(other.sessions.snapshot()), snapshot));
        other = new Machine(limits);
        await other.sessions.restore(recut(snapshot, random));
      }
    }
    assert.ok(appliedBy.size > 100);
  });
}

Deno.test("sessions: commands applied while a snapshot is read don't affect it", async () => {
  const machine = new Machine();
  const [one, two] = [await machine.register(), await machine.register()];
  await machine.command(one, 1, 1, "a");
  const expected = await collect(machine.sessions.snapshot());
  const stream = machine.sessions.snapshot()[Symbol.asyncIterator]();
  // The recorder is a generator, which captures in its first `next`: not only after the sessions were read.
  const first = await stream.next();
  await machine.command(one, 2, 2, "b");
  await machine.command(two, 1, 1, "c");
  await machine.register();
  const rest = await collect({ [Symbol.asyncIterator]: () => stream });
  assert.ok(sameBytes(new Uint8Array([...first.value, ...rest]), expected));
});

Deno.test("sessions: a damaged snapshot, another version or other limits are refused", async () => {
  const machine = new Machine();
  const session = await machine.register();
  await machine.command(session, 1, 1, "a");
  const snapshot = await collect(machine.sessions.snapshot());
  const restore = (bytes: Uint8Array, limits: SessionLimits = {}) =>
    new Machine(limits).sessions.restore(recut(bytes, seededRandom(5)));
  await restore(snapshot);
  await assert.rejects(restore(snapshot.slice(0, 40)), { code: "damaged" });
  await assert.rejects(restore(snapshot.map((byte, i) => i === 6 ? byte ^ 1 : byte)), { code: "damaged" });
  await assert.rejects(restore(snapshot, { maxSessions: 5 }), { code: "invalid_argument", message: /maxSessions/ });
  const versionAt = 4 + 1 + "raft-core.sessions".length;
  await assert.rejects(restore(snapshot.map((byte, i) => i === versionAt ? 9 : byte)), { code: "unsupported_version" });
  assert.throws(() => new Sessions(new Recorder(), { maxSessions: 0 }), RangeError);
});
