// The rows of the records' table: their content, and the keyboard. The message id of a row is a
// button that opens the receipt.

import { count, credits, total } from "../shared/format.js";

/** Texts with more characters do not fit into one line of normal size, by kind of column. */
const LONG = { id: 12, number: 12, name: 18 };

const TIMES = ["timestamp", "recorded_at"];
const NUMBERS = ["credits_used", "corrects"];

/** The kind of a column, which decides about its width and alignment. */
export function kindOf(field) {
  if (field === "message_id") return "id";
  if (TIMES.includes(field)) return "time";
  const isNumber = NUMBERS.includes(field) || field.endsWith("_tokens");
  return isNumber ? "number" : "name";
}

const tagsText = (tags) => Object.entries(tags).map(([key, value]) => `${key}: ${value}`)
  .join(", ");

/** A record's value of a field, as people read it; empty if it has none. */
function textOf(record, field, timeText) {
  const value = record?.[field];
  if (value === undefined) return "";
  if (TIMES.includes(field)) return timeText(value);
  if (field === "credits_used") return credits(value);
  if (field === "tags") return tagsText(value);
  return field.endsWith("_tokens") ? count(value) : String(value);
}

function titleOf({ message_id: id, credits_used: amount, corrected }) {
  if (amount < 0) return `Correction ${id}`;
  return corrected ? `Message ${id}, corrected by ${credits(corrected)}` : `Message ${id}`;
}

/** What corrections have left, below the credits. */
function markOf({ credits_used: amount, corrected }) {
  const mark = document.createElement("small");
  mark.textContent = `now ${credits(total([amount, corrected]))}`;
  mark.title = `Corrected by ${credits(corrected)}`;
  return mark;
}

/** An empty row for the record at `index`, with a cell for each field. */
export function newRow(index, fields) {
  const row = document.createElement("tr");
  // A phone shows rows as lines, which must still be a table for those who do not see them.
  row.role = "row";
  row.ariaRowIndex = index + 2;
  row.dataset.index = index;
  for (const field of fields) {
    const cell = row.insertCell();
    cell.role = "cell";
    cell.className = kindOf(field);
    cell.dataset.field = field;
    // Its lines are clamped, which a cell's cannot be.
    if (kindOf(field) === "name") cell.append(document.createElement("span"));
  }
  const button = document.createElement("button");
  button.type = "button";
  button.tabIndex = -1;
  row.cells[0].append(button);
  return row;
}

/** Shows a record in a row; without a record, the row is pending. */
export function fillRow(row, record, timeText) {
  const button = row.cells[0].firstChild;
  const isShown = row.record === record && row.timeText === timeText;
  if (isShown && button.disabled === !record) return;
  row.record = record;
  row.timeText = timeText;
  row.classList.toggle("pending", !record);
  row.classList.toggle("correction", record?.credits_used < 0);
  button.disabled = !record;
  button.ariaLabel = record ? `${titleOf(record)}, receipt` : "";
  for (const cell of row.cells) {
    const text = textOf(record, cell.dataset.field, timeText);
    const [kind] = cell.classList;
    // Every character of an id or a number must be visible: a long one is small, and wraps.
    cell.classList.toggle("long", text.length > (LONG[kind] ?? Infinity));
    (cell.firstElementChild ?? cell).textContent = text;
    if (kind === "name") cell.title = text;
    if (cell.dataset.field === "credits_used" && record?.corrected) cell.append(markOf(record));
  }
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
