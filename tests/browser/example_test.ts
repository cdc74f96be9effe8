import type { BrowserContext, Page } from "playwright-core";
import { launchChromium, listen, Site } from "./browser.ts";

/** Opens the example of docs/browser.md in a tab of its own. */
async function openExample(context: BrowserContext, site: Site, id: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${site.page("examples/browser_node/page.ts")}?id=${id}`);
  return page;
}

Deno.test("examples/browser_node: three tabs keep notes; one is closed and reopened, another joins, and a duplicate is refused", async () => {
  await using site = new Site();
  const browser = await launchChromium();
  try {
    const context = await browser.newContext();
    const said: string[][] = [];
    context.on("page", (page) => said.push(listen(page)));
    const pages = new Map<string, Page>();
    for (const id of ["n1", "n2", "n3"]) pages.set(id, await openExample(context, site, id));
    for (const [id, page] of pages) await page.getByText(`${id}: running.`).waitFor();

    const add = async (page: Page, text: string): Promise<void> => {
      await page.getByLabel("Note").fill(text);
      await page.getByRole("button", { name: "Add" }).click();
    };
    await add(pages.get("n1")!, "milk");
    for (const page of pages.values()) await page.getByRole("listitem").getByText("milk").waitFor();

    await pages.get("n2")!.close();
    await add(pages.get("n3")!, "bread");
    const again = await openExample(context, site, "n2");
    for (const text of ["milk", "bread"]) await again.getByRole("listitem").getByText(text).waitFor();

    const joined = await openExample(context, site, "n4");
    await joined.getByText("n4: running.").waitFor();
    for (const text of ["milk", "bread"]) await joined.getByRole("listitem").getByText(text).waitFor();
    await add(joined, "salt");
    await again.getByRole("listitem").getByText("salt").waitFor();

    const duplicate = await openExample(context, site, "n1");
    await duplicate.getByRole("status").getByText(/is locked/).waitFor();
    if (said.flat().length > 0) throw new Error(`pages said:\n${said.flat().join("\n")}`);
  } finally {
    await browser.close();
  }
});
