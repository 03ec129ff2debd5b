// The filters: a button for each part, whose list adds values, and a chip for each value.

import { element } from "../shared/dom.js";
import { filterText, partName, toggled } from "./parts.js";
import { Picker } from "./picker.js";

let view = null;
let picker = null;

function buttonOf(part) {
  const button = document.createElement("button");
  button.type = "button";
  button.value = part;
  button.ariaExpanded = false;
  button.ariaHasPopup = "dialog";
  button.ariaLabel = `Filter by ${partName(part)}`;
  button.append(partName(part));
  picker.attach(button, part);
  return button;
}

function chipOf(filter) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  const text = document.createElement("span");
  text.textContent = filterText(filter);
  button.append(text);
  button.ariaLabel = `Remove the filter ${filterText(filter)}`;
  button.filter = filter;
  item.append(button);
  return item;
}

/** Calls `onChange` with the changes of the view, and with the part that was changed. */
export function startFilters(onChange) {
  picker = new Picker((filter) =>
    onChange({ filters: toggled(view.filters, filter) }, filter[0]));
  const fold = element("fold");
  fold.addEventListener("click", () => {
    fold.ariaExpanded = fold.ariaExpanded !== "true";
  });
  element("chips").addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    const place = [...element("chips").children].indexOf(button.parentElement);
    onChange({ filters: toggled(view.filters, button.filter) });
    // The next chip takes the focus of the one that was removed.
    const chips = element("chips").querySelectorAll("button");
    (chips[Math.min(place, chips.length - 1)] ?? element("preset")).focus();
  });
}

/** Shows a resolved view's filters; `offered` are the parts that can be chosen. */
export function showFilters(newest, offered) {
  view = newest;
  const used = view.filters.map(([part]) => part);
  const parts = [...new Set([...offered, ...used.filter((part) => part !== "has_report")])];
  const buttons = element("pickers");
  if (parts.join() !== [...buttons.children].map(({ value }) => value).join()) {
    buttons.replaceChildren(...parts.map(buttonOf));
  }
  element("chips").replaceChildren(...view.filters.map(chipOf));
  const number = view.filters.length;
  element("fold").textContent = number > 0 ? `Filters (${number})` : "Filters";
  picker.show(view);
}
