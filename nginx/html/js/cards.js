// The four numbers, always those of the summary.

import { average, count, counted, credits, periodText } from "./format.js";
import { isEverything } from "./view.js";

const element = (id) => document.getElementById(id);

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
