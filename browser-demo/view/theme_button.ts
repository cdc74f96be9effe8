/**
 * Dark or light, for who wants the other than the system says.
 *
 * @module
 */

import { button } from "./dom.ts";

/** A button that switches between dark and light. */
export function themeButton(): HTMLButtonElement {
  const made = button("◐", () => {
    const { dataset } = document.documentElement;
    const dark =
      (dataset["theme"] ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    dataset["theme"] = dark ? "light" : "dark";
  }, { class: "quiet theme", "aria-label": "Dark or light", title: "Dark or light" });
  return made;
}
