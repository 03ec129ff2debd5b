// One row of the records' table. Its message id is a button, which opens the receipt.

import { count, credits } from "./format.js";

/** A row without content, for the record at `index`. */
export function newRow(index) {
  const row = document.createElement("tr");
  row.ariaRowIndex = index + 2;
  row.dataset.index = index;
  const button = document.createElement("button");
  button.type = "button";
  button.tabIndex = -1;
  row.insertCell().append(button);
  for (const name of ["time", "name", "number"]) row.insertCell().className = name;
  row.cells[0].className = "id";
  return row;
}

/** Shows a record in a row; without one, that it is still to come. */
export function fillRow(row, record, timeText) {
  const button = row.cells[0].firstChild;
  if (row.record === record && button.disabled === !record) return;
  row.record = record;
  row.classList.toggle("pending", !record);
  button.disabled = !record;
  button.textContent = record ? record.message_id : "";
  button.ariaLabel = record ? `Message ${record.message_id}, receipt` : "";
  row.cells[1].textContent = record ? timeText(record.timestamp) : "";
  row.cells[2].textContent = record?.report_name ?? "";
  row.cells[2].title = record?.report_name ?? "";
  row.cells[3].textContent = record ? credits(record.credits_used) : "";
}

/** "1–20 of 1,000,000". */
export function positionText(first, last, total, isKnown) {
  if (total === 0) return "None";
  return `${count(first + 1)}–${count(last)} of ${count(total)}${isKnown ? "" : " and more"}`;
}

/** What is said on the way to a row whose cursor is not known yet. */
export function findingText(index, done, all) {
  return `Finding record ${count(index + 1)}: page ${count(done)} of ${count(all)}`;
}
