// The table of records. It is as high as all records, but has rows only where they are visible.

import { isAbort } from "../shared/api.js";
import { element } from "../shared/dom.js";
import { timesIn } from "../shared/format.js";
import { recordsOf } from "../view/view.js";
import { Pages, samePage } from "./pages.js";
import { fillRow, findingText, newRow, positionText, startKeys } from "./rows.js";
import { ScrollWindow } from "./scroll-window.js";

/** The rows beyond each edge, so that scrolling shows no gaps. */
const SPARE = 12;
/** A page is read when its first row is this close to the visible ones. */
const AHEAD = 300;

export class RecordsTable {
  #pages = null;
  /** The number of records by the summary; null until it arrives. */
  #total = null;
  #timeText = null;
  #window = new ScrollWindow(element("scroller"));
  #body = element("records").tBodies[0];
  #spacers = [document.createElement("tr"), document.createElement("tr")];
  #rows = new Map();
  #reading = null;
  #onFailure;
  /** After a failure, nothing is read until the next poll. */
  #hasFailed = false;
  /** Whether the active row gets the focus as soon as its record arrives. */
  #isFocusDue = false;
  /** The row that the Tab key reaches. */
  active = 0;

  constructor(onOpen, onFailure) {
    this.#onFailure = onFailure;
    for (const spacer of this.#spacers) spacer.ariaHidden = "true";
    this.#body.append(...this.#spacers);
    this.#window.onMove(() => this.#render());
    this.#body.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (!row?.record) return;
      // Selecting text ends with a click, too.
      if (event.target.localName !== "button" && getSelection().type === "Range") return;
      this.active = Number(row.dataset.index);
      this.#render();
      onOpen(row.record.message_id, row.cells[0].firstChild);
    });
    startKeys(this, this.#body);
  }

  get count() { return this.#pages?.count(this.#total ?? 0) ?? 0; }

  get rowsInView() { return this.#window.rowsInView; }

  /** Shows another view from its start, once its first records have arrived. */
  async show(view) {
    const pages = new Pages(recordsOf(view));
    const timeText = timesIn(view.tz);
    const store = await this.#read(pages, 0);
    if (!store) return;
    store();
    this.#hasFailed = false;
    this.#pages = pages;
    this.#timeText = timeText;
    this.#total = null;
    this.active = 0;
    this.#window.toStart();
    this.#clear();
    this.#render();
  }

  setTotal(total) {
    if (total === this.#total) return;
    this.#total = total;
    this.#render();
  }

  /**
   * Reads the visible rows again that are older than a revision, and those that are missing, for
   * example after a failure. The scroll position and the focus stay.
   */
  async catchUp(revision) {
    if (!this.#pages) return;
    this.#hasFailed = false;
    this.#pages.expire(revision);
    const [first, end] = this.#window.range(this.count, 0);
    for (const index of [first, Math.max(first, end - 1)]) {
      const isMissing = this.#pages.isMissing(index, Math.max(this.count, first + 1));
      if (isMissing && !this.#isReading(index)) await this.#readInPlace(index);
    }
    this.#render();
  }

  /** Reads a page of this view; the visible records and the focus stay in their places. */
  async #readInPlace(index) {
    const store = await this.#read(this.#pages, index);
    if (!store) return;
    const first = this.#window.range(this.count, 0)[0];
    const anchor = this.#pages.row(first)?.message_id;
    const focused = document.activeElement.closest?.("#records tr")?.record?.message_id;
    store();
    const shift = anchor === undefined ? 0 : this.#shiftOf(anchor, first);
    if (shift && this.#window.top > 0) this.#window.moveBy(shift);
    this.#render();
    if (focused !== undefined) this.#focusRecord(focused);
  }

  /** Scrolls to a row and focuses it as soon as its record arrives. */
  focusRow(index) {
    this.active = Math.max(0, Math.min(index, this.count - 1));
    this.#window.reveal(this.active, this.count);
    this.#isFocusDue = true;
    this.#render();
  }

  /** By how many rows a record has moved; 0 if it is on no cached page nearby. */
  #shiftOf(id, index) {
    for (let distance = 0; distance < 1000; distance += 1) {
      if (this.#pages.row(index + distance)?.message_id === id) return distance;
      if (this.#pages.row(index - distance)?.message_id === id) return -distance;
    }
    return 0;
  }

  #focusRecord(id) {
    const [index, row] = [...this.#rows].find(([, each]) => each.record?.message_id === id) ?? [];
    if (row === undefined || row.contains(document.activeElement)) return;
    this.active = index;
    this.#render();
    row.cells[0].firstChild.focus({ preventScroll: true });
  }

  #focusActive() {
    const row = this.#rows.get(this.active);
    if (!row?.record) this.#window.focus();
    else row.cells[0].firstChild.focus({ preventScroll: true });
    this.#isFocusDue = !row?.record;
  }

  #clear() {
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
  }

  /** Reads a page and returns a function that stores it; null if another reading replaced it. */
  async #read(pages, index) {
    this.#reading?.abort();
    const reading = this.#reading = Object.assign(new AbortController(), { pages, index });
    const distance = pages.distance(index);
    try {
      const store = await pages.read(index, reading.signal, () => {
        const done = distance - pages.distance(index);
        element("position").textContent = findingText(index, done, distance);
      });
      return reading.signal.aborted ? null : store;
    } catch (error) {
      if (isAbort(error)) return null;
      throw error;
    } finally {
      if (this.#reading === reading) this.#reading = null;
    }
  }

  #render() {
    if (!this.#pages) return;
    const count = this.count;
    this.#window.fit(count);
    const [first, end] = this.#window.range(count, SPARE);
    const [shownFirst, shownEnd] = this.#window.range(count, 0);
    // First: if the list were shorter for a moment, the browser would scroll to its end.
    this.#window.setSpacers(this.#spacers, first, end, count);
    const gone = [...this.#rows].filter(([index]) => index < first || index >= end);
    // If its row is removed, the focus must not move to the top of the page.
    if (gone.some(([, row]) => row.contains(document.activeElement))) this.#window.focus();
    for (const [index, row] of gone) {
      row.remove();
      this.#rows.delete(index);
    }
    const tabStop = this.active >= first && this.active < end
      ? this.active : shownFirst;
    let next = this.#spacers[1];
    for (let index = end - 1; index >= first; index -= 1) {
      let row = this.#rows.get(index);
      if (!row) {
        row = newRow(index);
        this.#rows.set(index, row);
        next.before(row);
      }
      fillRow(row, this.#pages.row(index), this.#timeText);
      row.cells[0].firstChild.tabIndex = index === tabStop ? 0 : -1;
      next = row;
    }
    if (this.#isFocusDue) this.#focusActive();
    const isKnown = this.#total !== null || this.#pages.isWhole;
    element("records").ariaRowCount = isKnown ? count + 1 : -1;
    element("position").textContent = positionText(shownFirst, shownEnd, count, isKnown);
    this.#readMissing(first, end);
  }

  /** Whether the page of a row, or another view, is being read. */
  #isReading(index) {
    if (!this.#reading) return false;
    return this.#reading.pages !== this.#pages || samePage(this.#reading.index, index);
  }

  #readMissing(first, end) {
    const inView = [first, end - 1];
    const soon = [end - 1 + AHEAD, first - AHEAD];
    const isMissing = (index) => index >= 0 && this.#pages.isMissing(index, this.count);
    const index = inView.find(isMissing) ?? (this.#reading ? undefined : soon.find(isMissing));
    if (index === undefined || end <= first || this.#hasFailed) return;
    // Any other reading is for rows that are no longer visible, so this one replaces it.
    if (this.#isReading(index)) return;
    this.#readInPlace(index).catch((failure) => {
      this.#hasFailed = true;
      this.#onFailure(failure);
    });
  }
}
