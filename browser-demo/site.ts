/**
 * The demo as static files: what `deno task demo` serves, and `deno task build`
 * writes for any web host.
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
  /** Its name; all lie in one folder, and refer to each other without a path. */
  readonly name: string;
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Bundles the scripts, and collects the rest. @param minify for a web host; not for reading along in the browser's tools */
export async function buildSite(minify: boolean): Promise<readonly SiteFile[]> {
  const scripts = ["main", "node_worker"].map(async (name) => file(`${name}.js`, await bundle(`${name}.ts`, minify)));
  const page = file("index.html", await Deno.readFile(new URL("index.html", FOLDER)));
  return [page, ...await Promise.all(scripts)];
}

/** Writes the demo for a web host, which may serve the folder from any path; and gives what was written. */
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
    if (!success) throw new Error(`${module} can't be bundled:\n${new TextDecoder().decode(stderr)}`);
    return await Deno.readFile(output);
  } finally {
    await Deno.remove(output);
  }
}
