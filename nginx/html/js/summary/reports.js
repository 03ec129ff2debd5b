// Credits by report, as bars that filter. Messages without a report are one bar, too.

import { element, show } from "../shared/dom.js";
import { count, credits, counted, NO_REPORT } from "../shared/format.js";
import { isFiltered } from "../view/view.js";

const SHOWN = 100;

function newItem() {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  for (const name of ["name", "sum", "bar"]) {
    const part = document.createElement("span");
    part.className = name;
    button.append(part);
  }
  item.append(button);
  return item;
}

/** "Showing 1–7 of 35 rows": a row counts if half of it is visible. */
function positionText(top, height, whole, rows, found) {
  const place = (pixels) => Math.round(pixels * rows / whole);
  const [first, last] = [place(top) + 1, Math.min(rows, place(top + height))];
  const more = found > rows ? `; ${count(found)} in total, search for more` : "";
  return `Showing ${first}–${Math.max(first, last)} of ${counted(rows, "row")}${more}`;
}

export class ReportList {
  #list = element("report-list");
  #search = element("find-report");
  #reports = [];
  #view = null;
  /** How many reports match, including those beyond the list's row limit. */
  #found = 0;
  #items = new Map();

  /** Calls `onToggle` with a report's name, or with null for the messages without a report. */
  constructor(onToggle) {
    this.#search.addEventListener("input", () => this.#render());
    this.#list.addEventListener("scroll", () => this.#showPosition(), { passive: true });
    new ResizeObserver(() => this.#showPosition()).observe(this.#list);
    this.#list.addEventListener("click", (event) => {
      const item = event.target.closest("li");
      if (item) onToggle(item.report.report_name ?? null);
    });
  }

  /** Lists all reports again. */
  reset() {
    this.#search.value = "";
    this.#render();
  }

  show(reports, view) {
    this.#reports = reports.toSorted((one, other) => other.credits_used - one.credits_used);
    this.#view = view;
    show(element("all-reports"), isFiltered(view), this.#search);
    this.#render();
  }

  #isChosen({ report_name: name }) {
    const { reports, hasReport } = this.#view;
    if (name === undefined) return hasReport === false;
    return reports.includes(name) || (hasReport === true && reports.length === 0);
  }

  #render() {
    if (!this.#view) return;
    const searched = this.#search.value.trim().toLowerCase();
    const found = this.#reports.filter(
      (each) => (each.report_name ?? NO_REPORT).toLowerCase().includes(searched));
    const shown = found.slice(0, SHOWN);
    const most = this.#reports[0]?.credits_used ?? 0;
    const items = shown.map((report) => {
      // Each report has the same element every time, so the focus stays.
      const key = report.report_name === undefined ? "" : `=${report.report_name}`;
      const item = this.#items.get(key) ?? newItem();
      this.#items.set(key, item);
      this.#fill(item, report, most);
      return item;
    });
    const focused = document.activeElement;
    if (items.some((item, place) => this.#list.children[place] !== item)
      || items.length !== this.#list.children.length) {
      this.#list.replaceChildren(...items);
      if (items.some((item) => item.contains(focused))) focused.focus({ preventScroll: true });
    }
    if (this.#items.size > 4 * SHOWN) this.#items = new Map();
    this.#found = found.length;
    this.#showPosition();
  }

  /** Says which rows are visible: not every browser shows that a list can be scrolled. */
  #showPosition() {
    const { scrollTop, clientHeight, scrollHeight, children: { length: rows } } = this.#list;
    this.#list.classList.toggle("has-more", scrollTop + clientHeight < scrollHeight - 1);
    element("report-note").textContent = rows > 0
      ? positionText(scrollTop, clientHeight, scrollHeight, rows, this.#found)
      : this.#search.value.trim() ? "No report name contains this text." : "\u00a0";
  }

  #fill(item, report, most) {
    item.report = report;
    const [name, sum, bar] = item.firstChild.children;
    name.textContent = report.report_name ?? NO_REPORT;
    name.classList.toggle("none", report.report_name === undefined);
    sum.textContent = credits(report.credits_used);
    bar.style.setProperty("--share", most > 0 ? report.credits_used / most : 0);
    item.firstChild.ariaPressed = this.#isChosen(report);
    item.firstChild.title = `${name.textContent}: ${counted(report.messages, "message")}`;
  }
}
