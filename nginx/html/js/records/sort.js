// Sorting by clicks. The first click on a number or a time sorts the largest first, on a text A to
// Z; the second click reverses, the third ends it. Report and credits sort in click order.

import { fieldTitle, NEWEST_FIRST, SORTABLE } from "../view/fields.js";
import { kindOf } from "./rows.js";

const ARIA = { asc: "ascending", desc: "descending", none: "none" };
/** No two records have the same id, and hardly any the same time: these columns sort alone. */
const DISTINCT = ["message_id", "timestamp"];

const first = (column) => (column === "report_name" ? "asc" : "desc");
const reversed = (direction) => (direction === "asc" ? "desc" : "asc");

/** The sort after a click on `column`; an empty one is the newest first. */
export function cycled(sort, column) {
  const [standard] = NEWEST_FIRST;
  const isStandard = column === standard.column;
  const term = sort.find((each) => each.column === column);
  const start = first(column);
  if (isStandard) {
    return sort.length === 0 ? [{ column, direction: reversed(standard.direction) }] : [];
  }
  if (term && term.direction !== start) return sort.filter((each) => each !== term);
  const next = { column, direction: term ? reversed(start) : start };
  if (DISTINCT.includes(column)) return [next];
  if (term) return sort.map((each) => (each === term ? next : each));
  return [...sort.filter((each) => !DISTINCT.includes(each.column)), next];
}

/** The heads of the columns by field, so that the focus stays when the columns change. */
const heads = new Map();

function newHead(field, onSort) {
  const head = document.createElement("th");
  head.scope = "col";
  head.role = "columnheader";
  head.dataset.column = field;
  head.className = kindOf(field);
  if (!SORTABLE.includes(field)) {
    head.append(fieldTitle(field));
    return head;
  }
  const button = document.createElement("button");
  button.type = "button";
  button.append(fieldTitle(field));
  for (const name of ["arrow", "rank"]) {
    const mark = document.createElement("span");
    mark.className = name;
    mark.ariaHidden = "true";
    button.append(mark);
  }
  button.addEventListener("click", () => onSort(field));
  head.append(button);
  return head;
}

/** Shows the heads of `fields` in a row; those that can be sorted call `onSort`. */
export function showHeads(row, fields, onSort) {
  const wanted = fields.map((field) => {
    if (!heads.has(field)) heads.set(field, newHead(field, onSort));
    return heads.get(field);
  });
  const isSame = wanted.length === row.children.length
    && wanted.every((head, place) => row.children[place] === head);
  if (!isSame) row.replaceChildren(...wanted);
}

/** Shows in the heads how the table is sorted. */
export function showSort(row, sort, zone) {
  for (const head of row.children) {
    const { column } = head.dataset;
    if (["timestamp", "recorded_at"].includes(column)) head.title = `In the zone ${zone}`;
    const button = head.querySelector("button");
    if (!button) continue;
    const place = sort.findIndex((term) => term.column === column);
    const direction = sort[place]?.direction ?? "none";
    head.ariaSort = ARIA[direction];
    head.querySelector(".arrow").dataset.direction = direction;
    const isRanked = sort.length > 1 && place >= 0;
    head.querySelector(".rank").textContent = isRanked ? place + 1 : "";
    button.title = direction === "none" ? `Sort ${ARIA[first(column)]}`
      : `Sorted ${ARIA[direction]}${isRanked ? `, ${place + 1} of ${sort.length}` : ""}`;
  }
}
