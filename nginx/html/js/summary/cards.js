// The numbers of a summary, and how they have changed.

import { element, show } from "../shared/dom.js";
import {
  average, changeText, count, counted, credits, periodText, tokens,
} from "../shared/format.js";
import { valuesIn } from "../view/groups.js";
import { partNoun } from "../view/parts.js";
import { isEverything } from "../view/view.js";

/** The cards that are compared: the number of a sum as text, and as a value if there is one. */
const CARDS = {
  credits: ({ credits_used: sum }) => [credits(sum), sum],
  messages: ({ messages }) => [count(messages), messages],
  tokens: (totals) => [count(tokens(totals)), tokens(totals)],
  average: (totals) => [average(totals)],
};

const capitalised = (text) => text[0].toUpperCase() + text.slice(1);

export function showCards(summary, view) {
  const { totals, group_by: [part] } = summary;
  for (const [name, numberOf] of Object.entries(CARDS)) {
    element(name).textContent = numberOf(totals)[0];
  }
  const { corrections = 0 } = totals;
  element("corrections").textContent =
    corrections > 0 ? `and ${counted(corrections, "correction")}` : "";
  show(element("tokens-card"), tokens(totals) > 0n);
  element("tokens-kinds").textContent =
    `${count(totals.input_tokens ?? 0)} in, ${count(totals.output_tokens ?? 0)} out`;
  element("values-name").textContent = capitalised(partNoun(part, 2));
  element("values-note").textContent =
    part === "report_name" ? `in ${counted(totals.reports, "message")}` : "";
  showNumber(valuesIn(summary));
  element("period").textContent = summary.from ? periodText(summary)
    : isEverything(view) ? "No records yet" : "No records";
}

function showNumber(number) {
  element("values").textContent = number === null ? "–" : count(number);
}

/** Shows how much has changed since the period before; `previous` is null if there is none. */
export function showComparison({ totals }, { previous, number }) {
  showNumber(number);
  const period = previous && periodText(previous.summary).replace(", 00:00 –", " –");
  element("compared").textContent = !previous ? ""
    : `${previous.isPart ? "so far, compared" : "compared"} with ${period}`;
  for (const [name, numberOf] of Object.entries(CARDS)) {
    const before = previous?.summary.totals;
    const [text, value] = before ? numberOf(before) : [];
    const now = numberOf(totals)[1];
    // An average has no value of its own that could be divided exactly.
    const change = value === undefined ? "from" : `${changeText(now, value)} from`;
    // Without messages, there was no average, either.
    const hasText = before && (value !== undefined || before.messages > 0);
    element(`${name}-change`).textContent = hasText ? `${change} ${text}` : "\u00a0";
  }
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
