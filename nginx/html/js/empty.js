// What stands in the place of bars and rows where there are none.

import { isEverything } from "./view.js";

const element = (id) => document.getElementById(id);

export function showEmpty({ totals }, view) {
  const text = isEverything(view)
    ? "No messages recorded yet. The first one will appear here automatically."
    : "No messages in this range. Try a wider range or another report.";
  for (const id of ["chart-empty", "records-empty"]) {
    element(id).hidden = totals.messages > 0;
    element(id).textContent = text;
  }
}
