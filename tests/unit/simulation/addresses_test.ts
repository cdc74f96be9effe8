import assert from "node:assert/strict";
import { Addresses } from "../../../simulation/addresses.ts";

Deno.test("a machine that moved is at its new address alone, until former addresses lead there", () => {
  const addresses = new Addresses(["n1", "n2"]);
  assert.equal(addresses.move("n1", false), "n1");
  const now = addresses.of("n1");
  assert.equal(addresses.machineAt(now, false), "n1");
  assert.equal(addresses.machineAt("n1", false), null);
  assert.equal(addresses.machineAt("n1", true), "n1");
  assert.equal(addresses.machineAt("nowhere", true), null);
});

Deno.test("another machine gets a former address only once it was vacated", () => {
  const addresses = new Addresses(["n1", "n2"]);
  addresses.move("n1", false);
  addresses.move("n2", true);
  assert.notEqual(addresses.of("n2"), "n1");
  addresses.vacate("n1");
  assert.equal(addresses.machineAt("n1", true), null);
  addresses.move("n2", true);
  assert.equal(addresses.of("n2"), "n1");
  assert.equal(addresses.machineAt("n1", true), "n2");
});
