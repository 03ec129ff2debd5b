// The rows of the records' table: their content, and the keyboard. The message id of a row is a
// button that opens the receipt.

import { count, credits } from "../shared/format.js";

/** Texts with more characters do not fit into one line of normal size. */
const LONG = 9;

/** An empty row for the record at `index`. */
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

/** Shows an id or credits with every digit visible: long ones are small, and wrap. */
function show(cell, place, text) {
  place.textContent = text;
  cell.classList.toggle("long", text.length > LONG);
}

/** Shows a record in a row; without a record, the row is pending. */
export function fillRow(row, record, timeText) {
  const button = row.cells[0].firstChild;
  if (row.record === record && button.disabled === !record) return;
  row.record = record;
  row.classList.toggle("pending", !record);
  button.disabled = !record;
  show(row.cells[0], button, record ? String(record.message_id) : "");
  button.ariaLabel = record ? `Message ${record.message_id}, receipt` : "";
  row.cells[1].textContent = record ? timeText(record.timestamp) : "";
  row.cells[2].textContent = record?.report_name ?? "";
  row.cells[2].title = record?.report_name ?? "";
  show(row.cells[3], row.cells[3], record ? credits(record.credits_used) : "");
}

/** "1–20 of 1,000,000". */
export function positionText(first, last, total, isKnown) {
  if (total === 0) return "None";
  return `${count(first + 1)}–${count(last)} of ${count(total)}${isKnown ? "" : " or more"}`;
}

/** The progress towards a row whose cursor is not known yet. */
export function findingText(index, done, all) {
  return `Finding record ${count(index + 1)}: page ${count(done)} of ${count(all)}`;
}

/** Handles the keys in `body`, the rows' parent: the arrow keys of `table` move between rows. */
export function startKeys(table, body) {
  body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    if (!row || event.ctrlKey || event.altKey || event.metaKey) return;
    const index = Number(row.dataset.index);
    const target = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + table.rowsInView,
      PageUp: index - table.rowsInView,
      Home: 0,
      End: table.count - 1,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    table.focusRow(target);
  });
  body.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr");
    if (row?.dataset.index) table.active = Number(row.dataset.index);
  });
}
