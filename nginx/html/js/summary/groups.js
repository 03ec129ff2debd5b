// The list beside the chart: the same groups, with their sums. It is the chart's legend, too.

import { element } from "../shared/dom.js";
import { count, counted, credits, share, tokens } from "../shared/format.js";
import { hasFilter, partNoun, partName } from "../view/parts.js";

function newItem() {
  const item = document.createElement("li");
  const swatch = document.createElement("button");
  swatch.type = "button";
  swatch.className = "swatch";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "group";
  for (const name of ["name", "sum", "bar", "more"]) {
    const part = document.createElement("span");
    part.className = name;
    button.append(part);
  }
  item.append(swatch, button);
  return item;
}

export class GroupList {
  #list = element("group-list");
  /** The element of each group, so that the focus stays when the order changes. */
  #items = new Map();

  /** Calls `onFilter` with the filter of a group, and `onToggle` with a group. */
  constructor(onFilter, onToggle) {
    this.#list.addEventListener("click", ({ target }) => {
      const item = target.closest("li");
      if (target.closest(".swatch")) onToggle(item.group);
      else if (target.closest(".group") && item.group.filter) onFilter(item.group.filter);
    });
  }

  /** Shows the groups of a summary; the chart does not show those for which `isHidden` is true. */
  show(summary, groups, view, isHidden) {
    // Without messages, there is no group.
    const isGrouped = groups.length > 0 && groups.every(({ sum }) => sum);
    element("charts").dataset.grouped = isGrouped;
    if (!isGrouped) {
      // What is hidden must not be of another view.
      this.#list.replaceChildren();
      this.#items.clear();
      return;
    }
    const [part] = summary.group_by;
    element("groups-title").textContent = `Credits by ${partNoun(part, 1)}`;
    // The others, which may be many, would make all other bars short.
    const named = groups.filter(({ filter }) => filter);
    const most = Math.max(0, ...named.map(({ sum }) => Number(sum.credits_used)));
    const items = groups.map((group) => {
      const item = this.#items.get(group.key) ?? newItem();
      item.group = group;
      this.#fill(item, summary.totals, most, view, isHidden(group));
      return item;
    });
    const focused = document.activeElement;
    if (items.some((item, place) => this.#list.children[place] !== item)
      || items.length !== this.#list.children.length) {
      this.#list.replaceChildren(...items);
      if (items.some((item) => item.contains(focused))) focused.focus({ preventScroll: true });
    }
    this.#items = new Map(items.map((item) => [item.group.key, item]));
    const more = groups.at(-1)?.number ?? 0;
    element("group-note").textContent = more > 0
      ? `${groups.length - 1} of ${count(groups.length - 1 + more)} groups, by credits. `
        + `The filter ${partName(part)} finds the others.` : "";
  }

  #fill(item, totals, most, { filters }, isHidden) {
    const { name, colour, sum, filter } = item.group;
    const [swatch, button] = item.children;
    item.style.setProperty("--colour", `var(${colour})`);
    swatch.ariaPressed = !isHidden;
    swatch.ariaLabel = `${name} in the chart`;
    swatch.title = isHidden ? "Show in the chart" : "Hide in the chart";
    const [label, number, bar, more] = button.children;
    label.textContent = name;
    label.classList.toggle("none", !filter?.[1]);
    number.textContent = credits(sum.credits_used);
    bar.hidden = !filter;
    bar.style.setProperty("--share", most > 0 ? Math.max(0, sum.credits_used) / most : 0);
    const parts = [share(sum.credits_used, totals.credits_used), counted(sum.messages, "message")];
    if (tokens(sum) > 0n) parts.push(`${count(tokens(sum))} tokens`);
    more.textContent = parts.join(" · ");
    button.disabled = !filter;
    button.ariaPressed = filter ? hasFilter(filters, filter) : null;
    button.title = filter ? name : "";
  }
}
