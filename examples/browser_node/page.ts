/// <reference lib="dom" />
// Notes stored in the tabs that show them. Open page.html?id=n1, ?id=n2 and ?id=n3, each in a tab of its own.
import { connectBrowserNode } from "../../browser/mod.ts";
import { KeyValueClient, RaftError } from "../../mod.ts";
import { requestPersistence } from "../../storage/indexeddb/mod.ts";

const id = new URLSearchParams(location.search).get("id") ?? "n1";
document.body.innerHTML = `<p role="status"></p><form><input aria-label="Note"><button>Add</button></form><ul></ul>`;
const [state, form, input, list] = ["p", "form", "input", "ul"].map((one) => document.querySelector(one)!);

try {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: id });
  const node = await connectBrowserNode(worker);
  const show = () =>
    state!.textContent = `${id}: ${node.life.life}. ${node.life.reason} ${node.life.error?.hint ?? ""}`;
  node.addEventListener("life", show);
  show();
  await node.running;

  const notes = new KeyValueClient(node.coordinator);
  form!.addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = input as HTMLInputElement;
    await notes.put(`${Date.now()} ${id}`, field.value);
    field.value = "";
    await requestPersistence(); // the user has just stored something here
  });
  // Reads this node's own state: it works without a leader, but may be outdated.
  const own = new KeyValueClient(node.local);
  const refresh = async () => {
    const { entries } = await own.list({ consistency: "stale" });
    const items = entries.map(({ value }) => new TextDecoder().decode(value));
    list!.replaceChildren(...items.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  };
  node.addEventListener("applied", refresh);
  await refresh();
} catch (error) {
  if (!(error instanceof RaftError)) throw error;
  state!.textContent = `${id}: ${error.message} ${error.hint}`;
}
