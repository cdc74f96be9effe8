/**
 * The process that attacks: `attacker.ts NAME SECONDS ADDRESS ID CLUSTER`. Prints `ready` when the attack begins, and
 * its counts as JSON at the end.
 *
 * @module
 */

import { Attack } from "./attack.ts";
import { FLOODS } from "./floods.ts";

const [name, seconds, address = "", id = "", clusterId = ""] = Deno.args;
const flood = FLOODS.find((flood) => flood.name === name);
if (flood === undefined) throw new Error(`there is no flood ${name}`);
const target = { address, id, clusterId };
await flood.prepare?.(target);
console.log("ready");
const attack = new Attack(target, Number(seconds));
await flood.run(attack);
console.log(JSON.stringify({ opened: attack.opened, refused: attack.refused }));
attack.end();
Deno.exit(0);
