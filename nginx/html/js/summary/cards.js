// The four numbers of a summary, its period, and what is shown if it has no messages.

import { element, show } from "../shared/dom.js";
import { average, count, counted, credits, periodText } from "../shared/format.js";
import { isEverything } from "../view/view.js";

export function showCards(summary, view) {
  const { totals } = summary;
  const reports = summary.by_report.filter(({ report_name: name }) => name !== undefined);
  element("credits").textContent = credits(totals.credits_used);
  element("messages").textContent = count(totals.messages);
  element("reports").textContent = count(reports.length);
  element("with-report").textContent = `in ${counted(totals.reports, "message")}`;
  element("average").textContent = average(totals);
  element("period").textContent = summary.from ? periodText(summary)
    : isEverything(view) ? "No records yet" : "No records";
}

const rates = element("rates");
rates.addEventListener("click", () => element("rates-note").showModal());

/** Offers a note if records with a model were priced by a rate without one. */
export function showRatesToCheck({ newest_records_without_model_rate: number = 0 }) {
  show(rates, number > 0);
  const those = `${count(number)} with a model ${number === 1 ? "was" : "were"}`;
  element("rates-count").textContent =
    `Of the newest 1,000 records, ${those} priced by a rate without one.`;
}

/** Replaces the bars and the rows by a sentence if there are no messages. */
export function showEmpty({ totals }, view) {
  const text = isEverything(view)
    ? "No messages recorded yet. The first one will appear here automatically."
    : "No messages in this range. Try a wider range or another report.";
  for (const id of ["chart-empty", "records-empty"]) {
    element(id).hidden = totals.messages > 0;
    element(id).textContent = text;
  }
}
