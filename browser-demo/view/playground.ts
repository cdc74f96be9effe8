/**
 * The first thing to try: put a value, kill the leader, and get the value again.
 */

import type { KeyValueAnswer } from "../source.ts";
import { button, field, h, setAttribute, setOptions, setText } from "./dom.ts";
import type { Topic } from "./model.ts";
import { Part } from "./part.ts";
import { ValueWatch } from "./value_watch.ts";
import { duration, errorWords, listOf } from "./words.ts";

const ANSWERS_KEPT = 5;

/** `<raft-playground>` */
export class Playground extends Part {
  readonly topics = ["nodes", "values"] as const;
  override readonly everyMs = 120;
  readonly #key = h("input", { name: "key", autocomplete: "off", spellcheck: "false", maxlength: 64 });
  readonly #value = h("input", {
    name: "value",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: 64,
    value: "blue",
  });
  readonly #stale = h("input", { type: "radio", name: "consistency", value: "stale" });
  readonly #from = h("select", { "aria-label": "Node that answers a stale read" });
  readonly #kill = button("Kill the leader", () => void this.#killLeader(), { class: "danger big" });
  readonly #restart = button("", () => void this.#restartAll(), { class: "big" });
  readonly #answer = h("div", { class: "answer", role: "status" });
  readonly #history = h("ol", { class: "history", "aria-label": "Earlier answers" });
  readonly #hint = h("p", { class: "next" });
  /** The newest request, while it has no answer. */
  #waiting: { readonly what: string; readonly element: HTMLElement } | null = null;
  #watch: ValueWatch | null = null;
  #asked = 0;
  #hasPut = false;
  #hasKilled = false;
  #hasRead = false;

  build(): void {
    this.append(h("h2", {}, "Try it"));
    this.#watch = new ValueWatch(this.model, this.context.source);
    this.#key.value = this.model.watchedKey;
    this.#key.addEventListener("input", () => {
      this.model.watchedKey = this.#key.value;
      this.model.values.clear();
      this.model.touch("values");
    });
    this.#show(h("p", { class: "asking" }, "The answer appears here."));
    this.append(this.#hint, this.#form(), this.#consistency(), this.#answer, this.#history);
    this.append(h("div", { class: "deeds" }, this.#kill, this.#restart));
  }

  #form(): HTMLFormElement {
    const form = h(
      "form",
      { class: "put" },
      field("Key", this.#key),
      field("Value", this.#value),
      h(
        "div",
        { class: "buttons" },
        h("button", { class: "primary" }, "Put"),
        button("Get", () => void this.#get()),
        button("Delete", () => void this.#remove()),
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#put();
    });
    return form;
  }

  #consistency(): HTMLFieldSetElement {
    const sure = h("input", { type: "radio", name: "consistency", value: "linearizable", checked: true });
    return h(
      "fieldset",
      { class: "consistency" },
      h("legend", {}, "Get reads"),
      h("label", {}, sure, h("span", {}, "the newest value (linearizable)")),
      h(
        "span",
        { class: "stale" },
        h("label", {}, this.#stale, h("span", {}, "what one node has (stale):")),
        this.#from,
      ),
    );
  }

  update(_changed: ReadonlySet<Topic>): void {
    if (this.#watch === null) return;
    this.#watch.refresh();
    const views = this.model.views();
    setOptions(this.#from, views.filter(({ life }) => life === "running").map(({ id }) => ({ value: id, text: id })));
    const leader = this.model.leader();
    const mine = leader?.home === "this page";
    setText(this.#kill, leader === null ? "Kill the leader" : `Kill the leader (${leader.id})`);
    setAttribute(this.#kill, "aria-disabled", leader !== null && mine ? null : "true");
    const killed = this.#killed();
    // The keyboard's focus continues from its neighbour.
    if (killed.length === 0 && this.#restart === document.activeElement) this.#kill.focus();
    this.#restart.hidden = killed.length === 0;
    setText(this.#restart, `Start ${listOf(killed)} again`);
    setText(this.#hint, this.#nextStep(killed.length));
    this.#showWaiting();
  }

  #showWaiting(): void {
    if (this.#waiting === null) return;
    const { what, element } = this.#waiting;
    setText(element, `${what}: waiting for ${this.model.leader() === null ? "a leader" : "the answer"}…`);
  }

  /** Suggests what to try next. */
  #nextStep(killed: number): string {
    if (!this.#hasPut) return "Put a value: it is copied to every node.";
    if (!this.#hasKilled) return "Every node has it now. What if the leader dies?";
    if (!this.#hasRead) {
      return this.model.leader() === null
        ? "The others elect a new leader…"
        : "There is a new leader. Get the value again.";
    }
    return killed > 0 ? "Nothing was lost. Start the dead node: it catches up." : "Now cut a link, or isolate a node.";
  }

  #killed(): string[] {
    return this.model.views().filter(({ home, life }) =>
      home === "this page" && (life === "killed" || life === "stopped")
    )
      .map(({ id }) => id);
  }

  async #killLeader(): Promise<void> {
    const leader = this.model.leader();
    const obstacle = leader === null
      ? "There is no leader at the moment."
      : leader.home === "server"
      ? `${leader.id} runs on a server: it can't be killed from here.`
      : leader.home === "another tab"
      ? `${leader.id} runs in another tab: close that tab, and see what happens.`
      : "";
    if (leader === null || obstacle !== "") return this.#show(h("p", {}, obstacle));
    this.#hasKilled = true;
    this.#hasRead = false;
    await this.context.perform(`Killing ${leader.id}`, () => this.context.source.kill(leader.id));
  }

  async #restartAll(): Promise<void> {
    for (const id of this.#killed()) {
      await this.context.perform(`Starting ${id}`, () => this.context.source.restart(id));
    }
  }

  async #put(): Promise<void> {
    const [key, value] = [this.#key.value, this.#value.value];
    const done = await this.#ask(
      `Put ${key}`,
      () => this.context.source.put(key, value),
      () => `${key} is now “${value}”`,
    );
    if (done) this.#hasPut = true;
  }

  async #get(): Promise<void> {
    const key = this.#key.value;
    const from = this.#stale.checked ? this.#from.value : "";
    const read = (): Promise<KeyValueAnswer> =>
      from === "" ? this.context.source.get(key, "linearizable") : this.context.source.get(key, "stale", from);
    const done = await this.#ask(
      `Get ${key}`,
      read,
      ({ value }) => value === null ? `There is no ${key}` : `${key} is “${value}”`,
    );
    if (done && this.#hasKilled) this.#hasRead = true;
  }

  async #remove(): Promise<void> {
    const key = this.#key.value;
    await this.#ask(`Delete ${key}`, () => this.context.source.remove(key), () => `${key} is deleted`);
  }

  /** Sends a request, and shows the answer or error of the newest one. */
  async #ask(
    what: string,
    ask: () => Promise<KeyValueAnswer>,
    say: (answer: KeyValueAnswer) => string,
  ): Promise<boolean> {
    const turn = ++this.#asked;
    const waits = h("p", { class: "asking" });
    this.#waiting = { what, element: waits };
    this.#showWaiting();
    this.#show(waits);
    try {
      const answer = await ask();
      const { version, servedBy, tookMs } = answer;
      const facts = `version ${version}, by ${servedBy}, in ${duration(tookMs)}`;
      const said = say(answer);
      if (turn === this.#asked) {
        this.#show(h("p", {}, h("strong", {}, said), " ", h("span", { class: "facts" }, facts)));
      }
      this.#remember(`${said}: ${facts}`);
      return true;
    } catch (error) {
      const { message, hint } = errorWords(error);
      if (turn === this.#asked) {
        this.#show(
          h("p", { class: "error" }, h("strong", {}, `${what} did not work. `), message, " ", h("span", {}, hint)),
        );
      }
      this.#remember(`${what} did not work. ${message}`);
      return false;
    } finally {
      if (this.#waiting?.element === waits) this.#waiting = null;
      this.model.touch("values");
    }
  }

  #show(content: HTMLElement): void {
    this.#answer.replaceChildren(content);
  }

  #remember(text: string): void {
    this.#history.prepend(h("li", {}, text));
    while (this.#history.childElementCount > ANSWERS_KEPT) this.#history.lastElementChild?.remove();
  }
}
