// The list from which the values of a filter are picked: by typing, keys, a pointer or a finger.

import { isAbort } from "../shared/api.js";
import { element } from "../shared/dom.js";
import { count, credits } from "../shared/format.js";
import { hasFilter, partName, partNoun, withoutText } from "./parts.js";
import { valuesLike } from "./values.js";

const SHOWN = 100;
/** In pixels: the largest width, the distance to the button, and to the edge of the window. */
const WIDTH = 340, DISTANCE = 6, MARGIN = 12;

function optionOf(filter, name, sum) {
  const option = document.createElement("li");
  option.role = "option";
  option.filter = filter;
  for (const [text, kind] of [[name, "name"], [sum, "sum"]]) {
    const part = document.createElement("span");
    part.className = kind;
    part.textContent = text;
    option.append(part);
  }
  if (filter[1] === "") option.firstChild.classList.add("none");
  option.title = name;
  return option;
}

export class Picker {
  #popover = element("picker");
  #text = element("picker-text");
  #list = element("picker-list");
  #part = null;
  #view = null;
  #opener = null;
  #active = 0;
  #reading = null;

  /** Calls `onPick` with the filter that the user has chosen or removed. */
  constructor(onPick) {
    this.#text.addEventListener("input", () => this.#read());
    this.#text.addEventListener("keydown", (event) => {
      const move = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
      if (move !== undefined) this.#activate(this.#active + move);
      else if (event.key === "Enter") this.#list.children[this.#active]?.click();
      else return;
      event.preventDefault();
    });
    this.#list.addEventListener("click", ({ target }) => {
      const option = target.closest("[role=option]");
      if (!option) return;
      this.#activate([...this.#list.children].indexOf(option));
      onPick(option.filter);
    });
    // The field keeps the focus, so that the keys work on.
    this.#list.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse") event.preventDefault();
    });
    this.#popover.addEventListener("toggle", ({ newState }) => {
      this.#opener.ariaExpanded = newState === "open";
      if (newState === "open") this.#read();
      else this.#reading?.abort();
    });
  }

  /** Makes a click on `opener` show the values of a part below it; another click closes them. */
  attach(opener, part) {
    opener.popoverTargetElement = this.#popover;
    opener.addEventListener("click", () => this.#prepare(opener, part));
  }

  #prepare(opener, part) {
    if (this.#opener && this.#opener !== opener) {
      // Otherwise, the click would close the list of the other part.
      this.#popover.hidePopover();
      this.#opener.ariaExpanded = false;
    }
    this.#part = part;
    this.#opener = opener;
    element("picker-name").textContent = `${partName(part)} is any of`;
    if (part.startsWith("tag:")) element("picker-name").textContent = `${partName(part)} is`;
    this.#text.value = "";
    this.#list.replaceChildren();
    const { left, bottom } = opener.getBoundingClientRect();
    const most = document.documentElement.clientWidth - WIDTH - MARGIN;
    this.#popover.style.left = `${Math.max(MARGIN, Math.min(left, most)) + scrollX}px`;
    this.#popover.style.top = `${bottom + DISTANCE + scrollY}px`;
  }

  /** Marks what a view is filtered by. */
  show(view) {
    this.#view = view;
    for (const option of this.#list.children) {
      option.ariaSelected = hasFilter(view.filters, option.filter);
    }
  }

  async #read() {
    this.#reading?.abort();
    const reading = this.#reading = new AbortController();
    const part = this.#part;
    const text = this.#text.value.trim();
    try {
      const found = await valuesLike(this.#view, part, text, reading.signal);
      if (reading.signal.aborted || this.#part !== part) return;
      this.#render(text, found);
    } catch (error) {
      if (!isAbort(error)) element("picker-note").textContent = error.message;
    }
  }

  #render(text, { values, isCut }) {
    const part = this.#part;
    const options = values.slice(0, SHOWN).map(({ value, credits_used: sum }) =>
      optionOf([part, value], value, credits(sum)));
    const without = withoutText(part);
    if (without.toLowerCase().includes(text.toLowerCase())) {
      options.unshift(optionOf([part, ""], without, ""));
    }
    // A name that is not in the list can be chosen as it was typed.
    if (text && isCut && !values.some(({ value }) => value === text)) {
      options.push(optionOf([part, text], text, ""));
    }
    for (const [index, option] of options.entries()) option.id = `option-${index}`;
    this.#list.replaceChildren(...options);
    this.show(this.#view);
    // Enter alone must not choose the records without a value.
    this.#activate(options.length > 1 && options[0].filter[1] === "" ? 1 : 0);
    const rest = values.length - SHOWN;
    element("picker-note").textContent = options.length === 0
      ? `No ${partNoun(part, 1)} in this range has “${text}” in its name.`
      : rest > 0 || isCut ? `The first ${count(Math.min(values.length, SHOWN))}; type to find more.`
        : "";
  }

  #activate(index) {
    const options = [...this.#list.children];
    this.#active = Math.max(0, Math.min(options.length - 1, index));
    for (const [place, option] of options.entries()) {
      option.classList.toggle("active", place === this.#active);
    }
    const active = options[this.#active];
    this.#text.setAttribute("aria-activedescendant", active?.id ?? "");
    active?.scrollIntoView({ block: "nearest" });
  }
}
