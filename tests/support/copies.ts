/**
 * The copies of the key-value state that nodes hold.
 *
 * @module
 */

/** A node whose state is read. */
interface Copy {
  readonly id: string;
  /** The base URL. */
  readonly address: string;
}

/** Checks that all nodes hold the same entries. They must have applied the same, and there must be no load. @throws if two differ */
export async function compareCopies(nodes: readonly Copy[]): Promise<void> {
  const copies = nodes.map(({ id, address }) => ({ id, pages: pagesOf(address) }));
  for (;;) {
    const next = await Promise.all(copies.map(async ({ id, pages }) => ({ id, page: await pages.next() })));
    const [first] = next;
    const other = next.find(({ page }) => page.value !== first!.page.value);
    if (other !== undefined) throw new Error(`${other.id} and ${first!.id} hold different entries`);
    if (first!.page.done === true) return;
  }
}

/** An entry of a page; a key that is not UTF-8 is in Base64. */
interface ListedKey {
  readonly key?: string;
  readonly keyBase64?: string;
}

/** Yields a node's own state as JSON, page by page. */
async function* pagesOf(address: string): AsyncGenerator<string> {
  for (let after = "";;) {
    const query = `prefix=&limit=10000&consistency=stale${after === "" ? "" : `&after=${after}`}`;
    const response = await fetch(`${address}/kv?${query}`, { signal: AbortSignal.timeout(30_000) });
    if (!response.ok) throw new Error(`${address} can't be read: ${await response.text()}`);
    const page = await response.json() as { readonly entries: readonly ListedKey[]; readonly more: boolean };
    yield JSON.stringify(page.entries);
    const last = page.entries.at(-1);
    if (!page.more || last === undefined) return;
    after = escaped(last);
  }
}

/** Returns a key for a query string, byte by byte. */
function escaped({ key, keyBase64 = "" }: ListedKey): string {
  const bytes = key === undefined
    ? Uint8Array.from(atob(keyBase64), (character) => character.charCodeAt(0))
    : new TextEncoder().encode(key);
  return [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}
