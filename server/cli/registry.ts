/**
 * Connects commands with their handlers.
 */

import type { Command } from "commander";
import { EXIT } from "../exit_codes.ts";
import type { CliIo } from "./io.ts";
import { explainNoLeader } from "./no_leader.ts";
import { Session } from "./session.ts";
import type { CommonOptions, Services } from "./session.ts";

/** Carries out a command. Returns the exit code; none means 0. */
export type Handler<Options> = (
  session: Session,
  args: readonly string[],
  options: Options,
) => Promise<number | void>;

/** Registers the handlers of commands, and keeps the exit code of the one that ran. */
export class Registry {
  readonly #io: CliIo;
  readonly #services: Services;
  /** The exit code of the command that ran. */
  exitCode: number = EXIT.done;

  constructor(io: CliIo, services: Services) {
    this.#io = io;
    this.#services = services;
  }

  /** Makes `handler` the action of `command`. */
  handle<Options>(command: Command, handler: Handler<Options>): void {
    command.action(async () => {
      // The innermost option wins: `raft --server a kv get --server b k` asks b.
      const options = { ...command.parent?.parent?.opts(), ...command.parent?.opts(), ...command.opts() };
      const session = new Session(this.#io, this.#services, options as CommonOptions);
      try {
        this.exitCode = await handler(session, command.args, options as Options) ?? EXIT.done;
      } catch (error) {
        throw await explainNoLeader(session, error);
      } finally {
        await session.close();
      }
    });
  }
}
