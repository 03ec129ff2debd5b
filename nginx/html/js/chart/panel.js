// What surrounds the chart: the choice of the granularity, and the same numbers as a table.

import { element } from "../shared/dom.js";
import { bucketText, count, credits } from "../shared/format.js";
import { GRANULARITIES } from "../view/view.js";

const HEADS = ["When", "Credits", "Messages", "With a report"];
const capitalised = (name) => name[0].toUpperCase() + name.slice(1);

/** Calls `onChoose` with the granularity that the user chooses. */
export function startGranularity(onChoose) {
  element("granularity").append(...GRANULARITIES.map((name) => {
    const button = document.createElement("button");
    button.type = "button";
    button.value = name;
    button.textContent = capitalised(name);
    button.addEventListener("click", () => onChoose(name));
    return button;
  }));
}

/** Shows which granularity the service used. */
export function showGranularity(granularity) {
  for (const button of element("granularity").children) {
    button.ariaPressed = button.value === granularity;
  }
  element("chart-title").textContent =
    granularity === "total" ? "Credits" : `Credits per ${granularity}`;
}

/** Says why the service refused the chosen granularity; an empty text says nothing. */
export function showRefusal(text) {
  element("granularity-note").textContent = text;
}

function tableOf({ buckets, granularity }) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const text of HEADS) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = text;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const [index, bucket] of buckets.entries()) {
    const row = body.insertRow();
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = bucketText(buckets, index, granularity);
    row.append(name);
    row.insertCell().textContent = credits(bucket.credits_used);
    row.insertCell().textContent = count(bucket.messages);
    row.insertCell().textContent = count(bucket.reports);
  }
  return table;
}

let summary = null;

/** Shows a summary as a table, which is only built while the reader has it open. */
export function showTable(newest) {
  summary = newest;
  renderTable();
}

function renderTable() {
  const isOpen = element("twin").open && summary;
  element("twin-table").replaceChildren(...(isOpen ? [tableOf(summary)] : []));
}

element("twin").addEventListener("toggle", renderTable);
