// Sorting by clicks: ascending, then descending, then unsorted; columns sort in click order.

const TITLES = { report_name: "Report", credits_used: "Credits" };
const ARIA = { asc: "ascending", desc: "descending", none: "none" };

/** The sort after a click on `column`. */
export function cycled(sort, column) {
  const term = sort.find((each) => each.column === column);
  if (!term) return [...sort, { column, direction: "asc" }];
  if (term.direction === "desc") return sort.filter((each) => each !== term);
  return sort.map((each) => (each === term ? { column, direction: "desc" } : each));
}

/** Adds a button to the heading of each column that can be sorted. */
export function makeSortable(table, onSort) {
  for (const head of table.querySelectorAll("th[data-column]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(TITLES[head.dataset.column]);
    for (const name of ["arrow", "rank"]) {
      const mark = document.createElement("span");
      mark.className = name;
      mark.ariaHidden = "true";
      button.append(mark);
    }
    button.addEventListener("click", () => onSort(head.dataset.column));
    head.append(button);
  }
}

/** Shows in the headings how the table is sorted. */
export function showSort(table, sort) {
  for (const head of table.querySelectorAll("th[data-column]")) {
    const place = sort.findIndex((term) => term.column === head.dataset.column);
    const direction = sort[place]?.direction ?? "none";
    head.ariaSort = ARIA[direction];
    head.querySelector(".arrow").dataset.direction = direction;
    head.querySelector(".rank").textContent = sort.length > 1 && place >= 0 ? place + 1 : "";
    const rank = sort.length > 1 && place >= 0 ? `, ${place + 1} of ${sort.length}` : "";
    head.querySelector("button").title = direction === "none"
      ? "Sort ascending" : `Sorted ${ARIA[direction]}${rank}`;
  }
}
