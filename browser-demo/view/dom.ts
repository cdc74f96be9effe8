/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Creates elements, and changes the page only where something is different.
 *
 * @module
 */

/** Attributes by name. `false` leaves one out, `true` is an empty one. */
type Attributes = Readonly<Record<string, string | number | boolean>>;

function fill<E extends Element>(element: E, attributes: Attributes, children: readonly (Node | string)[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/** Creates an element of HTML. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

/** Creates an element of SVG. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** Creates a button. */
export function button(text: string, press: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const made = h("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", press);
  return made;
}

/** Labels an input. */
export function field(label: string, input: HTMLElement, attributes: Attributes = {}): HTMLLabelElement {
  return h("label", { class: "field", ...attributes }, h("span", {}, label), input);
}

/** Sets a text, unless it is the same. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets or removes an attribute, unless it is the same. */
export function setAttribute(element: Element, name: string, value: string | null): void {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

/** Sets the options of a choice, and keeps the chosen one if possible. */
export function setOptions(select: HTMLSelectElement, options: readonly { value: string; text: string }[]): void {
  const same = select.options.length === options.length &&
    options.every(({ value, text }, index) =>
      select.options[index]?.value === value && select.options[index]?.text === text
    );
  if (same) return;
  const chosen = select.value;
  select.replaceChildren(...options.map(({ value, text }) => h("option", { value }, text)));
  if (options.some(({ value }) => value === chosen)) select.value = chosen;
}

/** Creates a link that opens in a new tab. */
export function externalLink(text: string, href: string, attributes: Attributes = {}): HTMLAnchorElement {
  return h("a", { href, target: "_blank", rel: "noopener", ...attributes }, text);
}
