// The four numbers, always those of the summary.

import { average, count, credits, periodText } from "./format.js";

const element = (id) => document.getElementById(id);

export function showCards(summary) {
  const { totals } = summary;
  element("credits").textContent = credits(totals.credits_used);
  element("messages").textContent = count(totals.messages);
  element("reports").textContent = count(totals.reports);
  element("average").textContent = average(totals);
  element("period").textContent = periodText(summary) || "No records yet";
}
