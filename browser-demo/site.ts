/**
 * The demo as static files: `deno task demo` serves them, and `deno task build`
 * writes them for any web host.
 *
 * @module
 */

const FOLDER = new URL("./", import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
};

/** One file of the site. */
export interface SiteFile {
  /** All files lie in one folder, and refer to each other by name. */
  readonly name: string;
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Bundles the scripts, and collects the rest. @param minify for a web host; not for debugging */
export async function buildSite(minify: boolean): Promise<readonly SiteFile[]> {
  const bundles = [["main.js", "main.ts"], ["node_worker.js", "node/demo_node.ts"]] as const;
  const scripts = bundles.map(async ([name, module]) => file(name, await bundle(module, minify)));
  const page = file("index.html", await Deno.readFile(new URL("index.html", FOLDER)));
  return [page, ...await Promise.all(scripts)];
}

/** Writes the demo for a web host, which may serve the folder from any path, and returns the files. */
export async function writeSite(folder: string): Promise<readonly SiteFile[]> {
  const files = await buildSite(true);
  await Deno.mkdir(folder, { recursive: true });
  await Promise.all(files.map(({ name, bytes }) => Deno.writeFile(`${folder}/${name}`, bytes)));
  return files;
}

function file(name: string, bytes: Uint8Array<ArrayBuffer>): SiteFile {
  return { name, type: TYPES[name.split(".").at(-1)!] ?? "application/octet-stream", bytes };
}

async function bundle(module: string, minify: boolean): Promise<Uint8Array<ArrayBuffer>> {
  const output = await Deno.makeTempFile({ suffix: ".js" });
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["bundle", "--quiet", "--no-lock", "--platform", "browser", "--output", output],
        ...(minify ? ["--minify"] : []),
        decodeURIComponent(new URL(module, FOLDER).pathname),
      ],
      cwd: new URL("../", FOLDER),
    }).output();
    if (!success) throw new Error(`can't bundle ${module}:\n${new TextDecoder().decode(stderr)}`);
    return await Deno.readFile(output);
  } finally {
    await Deno.remove(output);
  }
}
