/** Processes and files, for the other tools. */

export interface Ran {
  readonly ok: boolean;
  /** Both streams, without colours. */
  readonly output: string;
  readonly seconds: number;
  /** True if it was killed because of its time limit. */
  readonly timedOut: boolean;
}

/** The project's folder, with a slash at its end. */
export const ROOT: string = decodeURIComponent(new URL("../", import.meta.url).pathname);

export interface RunOptions {
  /** Hides the output. @default false */
  readonly quiet?: boolean;
  /** The time limit, in milliseconds. @default 600000 */
  readonly timeoutMs?: number;
  /** Variables added to those of this process. */
  readonly env?: Record<string, string>;
  /** @default ROOT */
  readonly cwd?: string;
  readonly signal?: AbortSignal;
}

/** Runs a program; its output is returned, and shown immediately unless `quiet`. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const [program, ...args] = command;
  const began = performance.now();
  options.signal?.throwIfAborted();
  const child = new Deno.Command(String(program), {
    args,
    cwd: options.cwd ?? ROOT,
    env: options.env ?? {},
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const onAbort = (): void => child.kill("SIGKILL");
  options.signal?.addEventListener("abort", onAbort);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, options.timeoutMs ?? 600_000);
  let output = "";
  const drain = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      output += decoder.decode(bytes, { stream: true });
      if (options.quiet !== true) await Deno.stdout.write(bytes);
    }
  };
  const [status] = await Promise.all([child.status, drain(child.stdout), drain(child.stderr)]);
  clearTimeout(timer);
  options.signal?.removeEventListener("abort", onAbort);
  return {
    ok: status.success,
    // deno-lint-ignore no-control-regex
    output: output.replace(/\x1b\[[0-9;]*m/g, ""),
    seconds: (performance.now() - began) / 1000,
    timedOut,
  };
}

export function exists(path: string): boolean {
  try {
    Deno.statSync(ROOT + path);
    return true;
  } catch {
    return false;
  }
}

export function readJson(path: string): unknown {
  return JSON.parse(Deno.readTextFileSync(ROOT + path));
}

/** Lists the files of the project, new ones included. */
export async function projectFiles(): Promise<string[]> {
  const command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const { ok, output } = await run(command, { quiet: true });
  if (!ok) throw new Error(`git ls-files: ${output}`);
  // A file that was deleted stays listed until the deletion is committed.
  return output.split("\0").filter((path) => path !== "" && exists(path));
}

/** Lists the project's own TypeScript files, without generated ones. */
export async function sourceFiles(): Promise<string[]> {
  return (await projectFiles()).filter((path) => path.endsWith(".ts") && !path.includes("/gen/"));
}
