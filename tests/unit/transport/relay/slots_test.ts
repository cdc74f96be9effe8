import assert from "node:assert/strict";
import type { Fetch, Locks } from "../../../../transport/relay/mod.ts";
import { browserLocks, SLOTS, takeSlot } from "../../../../transport/relay/slots.ts";
import { pageOf, serveHub } from "./relay_fixture.ts";
import { until } from "../connect/connect_fixture.ts";

/** Web Locks as a browser has them, as far as they are used. */
class TestLocks implements Locks {
  readonly #held = new Set<string>();
  readonly #waiting: { readonly name: string; readonly grant: () => void }[] = [];

  async request(
    name: string,
    { ifAvailable, signal }: { readonly ifAvailable?: boolean; readonly signal?: AbortSignal },
    held: (lock: unknown) => Promise<void> | void,
  ): Promise<void> {
    if (this.#held.has(name)) {
      if (ifAvailable === true) return void await held(null);
      await new Promise<void>((grant, reject) => {
        this.#waiting.push({ name, grant });
        signal?.addEventListener("abort", () => {
          const at = this.#waiting.findIndex((one) => one.grant === grant);
          if (at >= 0) this.#waiting.splice(at, 1);
          reject(signal.reason);
        });
      });
    }
    this.#held.add(name);
    try {
      await held({ name });
    } finally {
      this.#held.delete(name);
      const at = this.#waiting.findIndex((one) => one.name === name);
      if (at >= 0) this.#waiting.splice(at, 1)[0]!.grant();
    }
  }

  get held(): number {
    return this.#held.size;
  }

  get waiting(): number {
    return this.#waiting.length;
  }
}

const never = new AbortController().signal;
const unexpected = () => assert.fail("there is a slot");

Deno.test("slots: each server has a limited number; a waiting page gets the first free slot, and only one", async () => {
  const locks = new TestLocks();
  const taken = [];
  for (let i = 0; i < SLOTS; i++) taken.push(await takeSlot(locks, "http://a", unexpected, never));
  (await takeSlot(locks, "http://b", unexpected, never))();
  let waits = 0;
  const fifth = takeSlot(locks, "http://a", () => void waits++, never);
  await until(() => locks.waiting === SLOTS, "it waits for all of them");
  assert.equal(waits, 1);
  taken[2]!();
  taken[1]!();
  const release = await fifth;
  await until(() => locks.waiting === 0 && locks.held === SLOTS - 1, "it has one, and wants no other");
  release();
  for (const one of taken) one();
  await until(() => locks.held === 0, "all are free");
});

Deno.test("slots: waiting ends when the slot is no longer needed", async () => {
  const locks = new TestLocks();
  for (let i = 0; i < SLOTS; i++) await takeSlot(locks, "http://a", unexpected, never);
  const enough = new AbortController();
  const waiting = takeSlot(locks, "http://a", () => {}, enough.signal);
  await until(() => locks.waiting === SLOTS, "it waits for all of them");
  enough.abort();
  await assert.rejects(waiting, { code: "aborted" });
  assert.equal(locks.waiting, 0);
});

Deno.test("slots: only browsers limit connections", () => {
  assert.equal(browserLocks(), null);
});

Deno.test("relay: a page without a slot reports it, and connects when another closes; over HTTPS none is needed", async () => {
  const served = await serveHub();
  const locks = new TestLocks();
  const pages = Array.from({ length: SLOTS + 1 }, () => pageOf([served.url], { locks }));
  const states = () => pages.map(({ servers }) => servers[0]!.state);
  await until(() => states().filter((state) => state === "attached").length === SLOTS, "as many attach as may");
  await until(() => states().includes("waiting"), "the other one waits");
  const waiting = pages.find(({ servers }) => servers[0]!.state === "waiting")!;
  const { error } = waiting.servers[0]!;
  assert.equal(error?.code, "busy");
  assert.match(error?.hint ?? "", /Close one of them, or serve over HTTPS/);
  await assert.rejects(waiting.attached({ signal: AbortSignal.timeout(10) }), { code: "busy" });

  await pages.find((page) => page !== waiting)!.close();
  await waiting.attached({ signal: AbortSignal.timeout(20_000) });
  assert.equal(waiting.servers[0]!.error, null);

  let asked = 0;
  const hanging: Fetch = (_, { signal }) => {
    asked++;
    return new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  };
  const taken = [];
  for (let i = 0; i < SLOTS; i++) taken.push(await takeSlot(locks, "https://n1.example", unexpected, never));
  const secure = pageOf(["https://n1.example"], { locks, fetch: hanging });
  await until(() => asked > 0, "it asks for no slot");
  for (const release of taken) release();
  await Promise.all([secure, ...pages].map((page) => page.close()));
  await served.close();
  await until(() => locks.held === 0, "closed pages hold nothing");
});
