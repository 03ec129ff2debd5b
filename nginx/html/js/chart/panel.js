// What surrounds the chart: granularity, grouping, the way back, and the same numbers as a table.

import { element, fill } from "../shared/dom.js";
import { bucketText, count, credits } from "../shared/format.js";
import { partName } from "../view/parts.js";
import { GRANULARITIES, UNGROUPED } from "../view/view.js";

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

/** Calls `onChoose` with the part by which the user groups. */
export function startGrouping(onChoose) {
  element("group-by").addEventListener("change", ({ target }) => onChoose(target.value, target));
}

/** Shows how a view is grouped; `offered` are the parts that can be chosen. */
export function showGrouping({ groupBy }, offered) {
  const parts = groupBy === UNGROUPED ? offered : new Set([...offered, groupBy]);
  fill(element("group-by"), [
    new Option("None", UNGROUPED), ...[...parts].map((part) => new Option(partName(part), part))]);
  element("group-by").value = groupBy;
}

/** Says why the service refused the chosen granularity; an empty text says nothing. */
export function showRefusal(text) {
  element("granularity-note").textContent = text;
}

function tableOf({ buckets, granularity }, groups) {
  const named = groups.filter(({ sum }) => sum);
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  const heads = ["When", "Credits", "Messages", "With a report", ...named.map(({ name }) => name)];
  for (const text of heads) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = cell.title = text;
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
    for (const { series } of named) row.insertCell().textContent = credits(series[index]);
  }
  return table;
}

let shown = null;

/** Shows a summary as a table, which is only built while the reader has it open. */
export function showTable(summary, groups) {
  shown = [summary, groups];
  renderTable();
}

function renderTable() {
  const isOpen = element("twin").open && shown;
  element("twin-table").replaceChildren(...(isOpen ? [tableOf(...shown)] : []));
}

element("twin").addEventListener("toggle", renderTable);
