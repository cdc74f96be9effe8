/**
 * The first thing to try: put a value, kill the leader, and get the value again.
 */

import { html, nothing } from "lit-html";
import type { TemplateResult } from "lit-html";
import type { KeyValueAnswer } from "../source.ts";
import { options, valueOf } from "./dom.ts";
import { Part } from "./part.ts";
import { ValueWatch } from "./value_watch.ts";
import { duration, errorWords, listOf } from "./words.ts";

const ANSWERS_KEPT = 5;

export class Playground extends Part {
  readonly topics = ["nodes", "values"] as const;
  override readonly everyMs = 120;
  #value = "blue";
  #stale = false;
  /** The node that was chosen for stale reads. */
  #chosen = "";
  #watch: ValueWatch | null = null;
  /** Returns the answer to the newest request. */
  #answer = (): TemplateResult => html`<p class="asking">The answer appears here.</p>`;
  /** All answers, the newest first. */
  #history: readonly string[] = [];
  #asked = 0;
  #hasPut = false;
  #hasKilled = false;
  #hasRead = false;

  content(): TemplateResult {
    this.#watch ??= new ValueWatch(this.model, this.context.source);
    this.#watch.refresh();
    const leader = this.model.leader();
    const killed = this.#killed();
    const [kill, restart] = this.querySelectorAll<HTMLElement>(".deeds button");
    // The keyboard's focus continues from its neighbour.
    if (killed.length === 0 && restart === document.activeElement) kill?.focus();
    return html`
      <h2>Try it</h2>
      <p class="next">${this.#nextStep(killed.length)}</p>
      ${this.#form()} ${this.#consistency()}
      <div class="answer" role="status">${this.#answer()}</div>
      <ol class="history" aria-label="Earlier answers">${this.#history.map((text) => html`<li>${text}</li>`)}</ol>
      <div class="deeds">
        <button
          type="button"
          class="danger big"
          aria-disabled=${leader?.home === "this page" ? nothing : "true"}
          @click=${() => this.#killLeader()}
        >
          Kill the leader${leader === null ? "" : ` (${leader.id})`}
        </button>
        <button type="button" class="big" ?hidden=${killed.length === 0} @click=${() => this.#restartAll()}>
          Start ${listOf(killed)} again
        </button>
      </div>
    `;
  }

  #form(): TemplateResult {
    const submit = (event: Event): void => {
      event.preventDefault();
      void this.#put();
    };
    const watch = (event: Event): void => {
      this.model.watchedKey = valueOf(event);
      this.model.values.clear();
      this.model.touch("values");
    };
    const change = (event: Event): void => void (this.#value = valueOf(event));
    return html`
      <form class="put" @submit=${submit}>
        <label class="field">
          <span>Key</span>
          <input
            name="key"
            autocomplete="off"
            spellcheck="false"
            maxlength="64"
            value=${this.model.watchedKey}
            @input=${watch}
          >
        </label>
        <label class="field">
          <span>Value</span>
          <input name="value" autocomplete="off" spellcheck="false" maxlength="64" value="blue" @input=${change}>
        </label>
        <div class="buttons">
          <button class="primary">Put</button>
          <button type="button" @click=${() => this.#get()}>Get</button>
          <button type="button" @click=${() => this.#remove()}>Delete</button>
        </div>
      </form>
    `;
  }

  #consistency(): TemplateResult {
    const radio = (stale: boolean, text: string): TemplateResult =>
      html`
        <label>
          <input type="radio" name="consistency" ?checked=${!stale} @change=${() => this.#stale = stale}>
          <span>${text}</span>
        </label>
      `;
    return html`
      <fieldset class="consistency">
        <legend>Get reads</legend>
        ${radio(false, "the newest value (linearizable)")}
        <span class="stale">
          ${radio(true, "what one node has (stale):")}
          <select
            aria-label="Node that answers a stale read"
            @change=${(event: Event) => this.#chosen = valueOf(event)}
          >${options(this.#running(), this.#from())}</select>
        </span>
      </fieldset>
    `;
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

  #running(): string[] {
    return this.model.views().filter(({ life }) => life === "running").map(({ id }) => id);
  }

  /** Returns the node that answers stale reads. */
  #from(): string | undefined {
    const running = this.#running();
    return running.includes(this.#chosen) ? this.#chosen : running[0];
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
    if (leader === null || obstacle !== "") return this.#show(() => html`<p>${obstacle}</p>`);
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
    const [key, value] = [this.model.watchedKey, this.#value];
    const done = await this.#ask(
      `Put ${key}`,
      () => this.context.source.put(key, value),
      () => `${key} is now “${value}”`,
    );
    if (done) this.#hasPut = true;
  }

  async #get(): Promise<void> {
    const key = this.model.watchedKey;
    const from = this.#stale ? this.#from() : undefined;
    const read = (): Promise<KeyValueAnswer> =>
      from === undefined ? this.context.source.get(key, "linearizable") : this.context.source.get(key, "stale", from);
    const done = await this.#ask(
      `Get ${key}`,
      read,
      ({ value }) => value === null ? `There is no ${key}` : `${key} is “${value}”`,
    );
    if (done && this.#hasKilled) this.#hasRead = true;
  }

  async #remove(): Promise<void> {
    const key = this.model.watchedKey;
    await this.#ask(`Delete ${key}`, () => this.context.source.remove(key), () => `${key} is deleted`);
  }

  /** Sends a request, and shows the answer or error of the newest one. */
  async #ask(
    what: string,
    ask: () => Promise<KeyValueAnswer>,
    say: (answer: KeyValueAnswer) => string,
  ): Promise<boolean> {
    const turn = ++this.#asked;
    this.#show(() =>
      html`<p class="asking">${what}: waiting for ${this.model.leader() === null ? "a leader" : "the answer"}…</p>`
    );
    const answered = (text: string, answer: TemplateResult): void => {
      this.#history = [text, ...this.#history].slice(0, ANSWERS_KEPT);
      this.#show(turn === this.#asked ? () => answer : this.#answer);
      // The next step may be another one now.
      this.model.touch("values");
    };
    try {
      const answer = await ask();
      const { version, servedBy, tookMs } = answer;
      const facts = `version ${version}, by ${servedBy}, in ${duration(tookMs)}`;
      const said = say(answer);
      answered(`${said}: ${facts}`, html`<p><strong>${said}</strong> <span class="facts">${facts}</span></p>`);
      return true;
    } catch (error) {
      const { message, hint } = errorWords(error);
      const failed = `${what} did not work.`;
      answered(
        `${failed} ${message}`,
        html`<p class="error"><strong>${failed}</strong> ${message} <span>${hint}</span></p>`,
      );
      return false;
    }
  }

  #show(answer: () => TemplateResult): void {
    this.#answer = answer;
    this.update();
  }
}
