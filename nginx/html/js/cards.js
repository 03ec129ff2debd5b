// The four numbers, always those of the summary.

import { average, count, credits, periodText } from "./format.js";
import { isEverything } from "./view.js";

const element = (id) => document.getElementById(id);

export function showCards(summary, view) {
  const { totals } = summary;
  element("credits").textContent = credits(totals.credits_used);
  element("messages").textContent = count(totals.messages);
  element("reports").textContent = count(totals.reports);
  element("average").textContent = average(totals);
  element("period").textContent = summary.from ? periodText(summary)
    : isEverything(view) ? "No records yet" : "No records";
}
