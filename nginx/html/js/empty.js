// What stands in the place of bars and rows where there are none.

import { isEverything } from "./view.js";

const element = (id) => document.getElementById(id);

export function showEmpty({ totals }, view) {
  const text = isEverything(view)
    ? "No message has been recorded yet. This page shows the first one as soon as it is there."
    : "No message matches. Another range or another report may.";
  for (const id of ["chart-empty", "records-empty"]) {
    element(id).hidden = totals.messages > 0;
    element(id).textContent = text;
  }
}
