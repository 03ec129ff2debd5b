// The choice of bars: an hour, a day, a week, a month.

import { fits } from "./summaries.js";
import { GRANULARITIES } from "./view.js";

const group = document.getElementById("granularity");
const title = document.getElementById("chart-title");
const capitalised = (name) => name[0].toUpperCase() + name.slice(1);

/** `onChoose` hears a granularity. */
export function startGranularity(onChoose) {
  group.append(...GRANULARITIES.map((name) => {
    const button = document.createElement("button");
    button.type = "button";
    button.value = name;
    button.textContent = capitalised(name);
    button.addEventListener("click", () => onChoose(name));
    return button;
  }));
}

/** Shows which one is in use, and which ones a range of `length` milliseconds is too long for. */
export function showGranularity(granularity, length) {
  for (const button of group.children) {
    const isInUse = button.value === granularity;
    button.ariaPressed = isInUse;
    button.disabled = !isInUse && !fits(button.value, length);
    button.title = button.disabled ? `Choose a shorter range to show each ${button.value}` : "";
  }
  title.textContent = granularity === "total" ? "Credits" : `Credits per ${granularity}`;
}
