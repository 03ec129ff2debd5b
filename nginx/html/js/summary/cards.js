// The four numbers of a summary, its period, and what is shown if it has no messages.

import { element } from "../shared/dom.js";
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
