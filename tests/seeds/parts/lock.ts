/**
 * The lock of a data folder among simulated processes: in two containers of one machine, which end, stop for a while,
 * start over with process ids that others had, and meet restarts of the machine.
 *
 * @module
 */

import { StorageError } from "../../../lib/errors.ts";
import type { Stream } from "../../../simulation/decisions.ts";
import { lockFolder } from "../../../storage/file/lock_file.ts";
import type { LockHost, LockOwner } from "../../../storage/file/lock_file.ts";
import type { PartsResult } from "./world.ts";
import { World } from "./world.ts";

const FOLDER = "/data";
const RUN_MS = 3000;
const WORKERS = 4;

/** A file; a socket file has the process that listens there, or had one. */
interface File {
  text: string;
  readonly listener?: { alive: boolean };
}

/** One process. */
interface Actor {
  readonly pid: number;
  readonly startedAt: string;
  readonly container: string;
  alive: boolean;
  /** When it continues, if it is stopped. */
  stoppedUntilMs: number;
  /** True from the first step of an attempt to the end of its lock. */
  active: boolean;
  holds: boolean;
  /** Set once another process was active during the present attempt. */
  contended: boolean;
}

interface LockPlan {
  readonly containers: number;
  /** Set if sockets can be used. */
  readonly sockets: boolean;
  readonly stepMs: number;
  readonly deaths: number;
  readonly stops: number;
  readonly reboots: boolean;
}

function posix(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** Runs processes that take and release one lock, from one seed. */
export async function simulateLock(seed: number): Promise<PartsResult> {
  const world = new World(seed);
  return await world.result(() => new LockRun(world).live());
}

class LockRun {
  readonly #world: World;
  readonly #plan: LockPlan;
  readonly #chance: Stream;
  readonly #files = new Map<string, File>();
  readonly #actors = new Set<Actor>();
  #boot = 1;
  #names = 0;
  #starts = 0;

  constructor(world: World) {
    this.#world = world;
    this.#chance = world.run.decisions.stream("steps");
    const chance = world.run.decisions.stream("plan");
    this.#plan = {
      containers: chance.pick([1, 2])!,
      sockets: chance.chance(0.75),
      stepMs: chance.pick([0.1, 1, 5])!,
      deaths: chance.pick([0, 0.02, 0.1])!,
      stops: chance.pick([0, 0.05])!,
      reboots: chance.chance(0.3),
    };
  }

  /** True if each process can tell whether the holder is alive. */
  get #tells(): boolean {
    return this.#plan.sockets || this.#plan.containers === 1;
  }

  async live(): Promise<void> {
    const workers = Array.from({ length: WORKERS }, (_, at) => this.#work(at));
    if (this.#plan.reboots) void this.#reboot();
    await Promise.all(workers);
    for (const actor of this.#actors) this.#kill(actor);
    if (!this.#tells) return;
    // Whatever they left, a new process takes the lock at once, and cleans up.
    const last = this.#start();
    const lock = await lockFolder(this.#hostOf(last, true), FOLDER).catch((error) => error);
    this.#world.require(!(lock instanceof Error), () => `the lock of dead processes is not taken over: ${lock}`);
    if (lock instanceof Error) return;
    const left = [...this.#files.keys()].filter((path) => !path.endsWith(".sock"));
    this.#world.require(left.length === 1, () => `a new holder leaves ${left.join(", ")}`);
    await lock.release();
    const again = await lockFolder(this.#hostOf(last, true), FOLDER).catch((error) => error);
    this.#world.require(!(again instanceof Error), () => `a released lock is not free: ${again}`);
  }

  /** Takes and releases the lock, in one process after the other. */
  async #work(at: number): Promise<void> {
    const chance = this.#world.run.decisions.stream(`worker ${at}`);
    let actor = this.#start();
    while (this.#world.nowMs < RUN_MS) {
      await this.#world.sleepMs(chance.next().unit() * 40);
      if (!actor.alive) actor = this.#start();
      // A process that dies never settles its promises.
      await Promise.race([this.#hold(actor, chance), this.#death(actor)]);
      if (chance.chance(0.1)) this.#kill(actor);
    }
  }

  async #death(actor: Actor): Promise<void> {
    while (actor.alive) await this.#world.sleepMs(5);
  }

  async #hold(actor: Actor, chance: Stream): Promise<void> {
    const { trace } = this.#world.run;
    actor.contended = false;
    for (const other of this.#actors) {
      if (other === actor || !other.alive || !other.active) continue;
      other.contended = true;
      actor.contended = true;
    }
    actor.active = true;
    try {
      const lock = await lockFolder(this.#hostOf(actor), FOLDER);
      const other = [...this.#actors].find((each) => each !== actor && each.alive && each.holds);
      this.#world.require(other === undefined, () => `processes ${actor.pid} and ${other?.pid} hold the lock`);
      actor.holds = true;
      trace.count("lock taken");
      trace.mark("applied", actor.pid);
      await this.#world.sleepMs(chance.next().unit() * 60);
      if (this.#plan.deaths > 0 && chance.chance(0.2)) this.#kill(actor);
      if (!actor.alive) return;
      // From now on others may take it.
      actor.holds = false;
      await lock.release();
    } catch (error) {
      const locked = error instanceof StorageError && error.code === "locked";
      this.#world.require(locked, () => `taking the lock failed: ${error}`);
      const truly = actor.contended || !this.#tells;
      this.#world.require(truly, () => `process ${actor.pid} is refused although no other is alive: ${error}`);
      trace.count("lock refused");
      trace.mark("answered", actor.pid);
    } finally {
      if (actor.alive) actor.active = false;
    }
  }

  #start(): Actor {
    const container = `container ${this.#chance.next().between(1, this.#plan.containers)}`;
    const taken = new Set(
      [...this.#actors].filter((each) => each.alive && each.container === container).map(({ pid }) => pid),
    );
    const pid = this.#chance.pick([1, 2, 3, 4, 5, 6, 7, 8].filter((each) => !taken.has(each)))!;
    const startedAt = String(++this.#starts);
    const rest = { alive: true, stoppedUntilMs: 0, active: false, holds: false, contended: false };
    const actor = { pid, startedAt, container, ...rest };
    this.#actors.add(actor);
    return actor;
  }

  #kill(actor: Actor): void {
    if (!actor.alive) return;
    if (actor.holds) this.#world.run.trace.count("holder died");
    actor.alive = false;
    this.#actors.delete(actor);
  }

  /** Restarts the machine once: all processes end, and names or bytes that were not synced are lost. */
  async #reboot(): Promise<void> {
    const chance = this.#world.run.decisions.stream("reboot");
    await this.#world.sleepMs(chance.between(200, RUN_MS));
    for (const actor of [...this.#actors]) this.#kill(actor);
    this.#boot++;
    this.#world.run.trace.count("machine restarted");
    for (const [path, file] of [...this.#files]) {
      const fate = chance.pick(["kept", "kept", "emptied", "garbled", "gone"])!;
      if (fate === "gone") this.#files.delete(path);
      if (fate === "emptied") file.text = "";
      if (fate === "garbled") file.text = '{"pid": 12, "star';
    }
  }

  /** Takes the time of one step, in which the process may stop, or end before or after it. */
  async #step<T>(actor: Actor, safe: boolean, act: () => T): Promise<T> {
    const never = new Promise<never>(() => {});
    const chance = this.#chance.next();
    const [dies, stops, first, pauseMs] = [chance.unit(), chance.unit(), chance.chance(0.5), chance.unit() * 400];
    await this.#world.sleepMs(chance.unit() * this.#plan.stepMs);
    if (!actor.alive) return await never;
    if (!safe && stops < this.#plan.stops) {
      this.#world.run.trace.count("process stopped");
      await this.#world.sleepMs(pauseMs);
      if (!actor.alive) return await never;
    }
    const ends = !safe && dies < this.#plan.deaths / 10;
    if (ends && first) this.#kill(actor);
    if (!actor.alive) return await never;
    const result = act();
    if (!ends) return result;
    this.#kill(actor);
    return await never;
  }

  #hostOf(actor: Actor, safe = false): LockHost {
    const files = this.#files;
    const step = <T>(act: () => T): Promise<T> => this.#step(actor, safe, act);
    const fileAt = (path: string): File => {
      const file = files.get(path);
      if (file === undefined) throw posix("ENOENT");
      return file;
    };
    const put = (path: string, file: File): void => {
      if (files.has(path)) throw posix("EEXIST");
      files.set(path, file);
    };
    return {
      self: () =>
        step(() => ({
          pid: actor.pid,
          startedAt: actor.startedAt,
          machine: "m",
          boot: String(this.#boot),
          namespace: actor.container,
          socket: "",
        })),
      stateOf: (owner) => step(() => this.#stateOf(actor, owner)),
      listen: async (path) => {
        if (!this.#plan.sockets) return undefined;
        const listener = await step(() => {
          const listening = {
            get alive() {
              return actor.alive && open;
            },
          } as { alive: boolean };
          let open = true;
          put(path, { text: "", listener: listening });
          return () => void (open = false);
        });
        return async () => {
          await step(listener);
          await step(() => files.delete(path));
        };
      },
      ask: (path) =>
        step(() => {
          const listener = files.get(path)?.listener;
          return listener === undefined ? "unknown" : listener.alive ? "alive" : "dead";
        }),
      randomName: () => `name${++this.#names}`,
      readDirectory: () => step(() => [...files.keys()].map((path) => path.slice(FOLDER.length + 1))),
      readText: (path) => step(() => fileAt(path).text),
      writeNew: async (path, text) => {
        await step(() => put(path, { text: "" }));
        await step(() => void (fileAt(path).text = text));
      },
      link: (from, to) => step(() => put(to, fileAt(from))),
      truncate: (path) => step(() => void (fileAt(path).text = "")),
      unlink: (path) => step(() => void (fileAt(path) && files.delete(path))),
    };
  }

  #stateOf(actor: Actor, owner: LockOwner): "alive" | "dead" | "unknown" {
    if (owner.boot !== String(this.#boot)) return "dead";
    if (owner.namespace !== actor.container) return "unknown";
    const found = [...this.#actors].find(({ pid, container, alive }) =>
      alive && pid === owner.pid && container === owner.namespace
    );
    return found !== undefined && found.startedAt === owner.startedAt ? "alive" : "dead";
  }
}
