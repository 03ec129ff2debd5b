// The table of records. It is as high as all records, but has rows only where they are visible.

import { element } from "../shared/dom.js";
import { timesIn } from "../shared/format.js";
import { recordsOf } from "../view/view.js";
import { isSamePlace, Pages } from "./pages.js";
import { Reader } from "./reader.js";
import { fillRow, findingText, newRow, positionText, startKeys } from "./rows.js";
import { ScrollWindow } from "./scroll-window.js";

/** The rows beyond each edge, so that scrolling shows no gaps. */
const SPARE = 12;
/** A page is read when its first row is this close to the visible ones. */
const AHEAD = 300;

export class RecordsTable {
  #pages = null;
  #view = null;
  /** The place that is shown as soon as a page that is read again has its record; or null. */
  #place = null;
  /** The number of records by the summary; null until it arrives. */
  #total = null;
  #timeText = null;
  #window = new ScrollWindow(element("scroller"));
  #body = element("records").tBodies[0];
  #spacers = [document.createElement("tr"), document.createElement("tr")];
  #rows = new Map();
  #reader = new Reader((...step) => {
    element("position").textContent = findingText(...step);
  });
  #onFailure;
  /** After a failure, nothing is read until the next poll. */
  #hasFailed = false;
  /** Whether the active row gets the focus as soon as its record arrives. */
  #isFocusDue = false;
  /** The row that the Tab key reaches. */
  active = 0;

  /** Calls `onOpen` with the id of the message whose receipt is wanted. */
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
      onOpen(String(row.record.message_id));
    });
    startKeys(this, this.#body);
  }

  get count() { return this.#pages?.count(this.#total ?? 0) ?? 0; }

  get rowsInView() { return this.#window.rowsInView; }

  /** Forgets the records, which were read with another key. */
  forget() {
    this.#pages = null;
  }

  /**
   * Shows another view, once its first records have arrived: from its start or, if it only has
   * other columns or another zone, from the record that is visible now.
   */
  async show(view) {
    const stays = this.#pages !== null && isSamePlace(this.#view, view);
    const pages = stays ? this.#pages.like(recordsOf(view)) : new Pages(recordsOf(view));
    const first = stays ? this.#window.range(this.count, 0)[0] : 0;
    if (pages === this.#pages) this.#reader.abort();
    const store = pages === this.#pages ? () => {} : await this.#reader.read(pages, first);
    if (!store) return;
    const place = this.#placeAt(first);
    store();
    this.#hasFailed = false;
    this.#view = view;
    this.#timeText = timesIn(view.tz);
    if (pages !== this.#pages) {
      this.#pages = pages;
      this.#clear();
    }
    if (!stays) {
      place.anchor = undefined;
      this.#total = null;
      this.active = 0;
      this.#window.toStart();
    }
    this.#showPlace(place);
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
      if (isMissing && !this.#reader.isReading(this.#pages, index)) await this.#readInPlace(index);
    }
    if (!this.#place) this.#render();
  }

  /** Reads a page of this view; the visible records and the focus stay in their places. */
  async #readInPlace(index) {
    const store = await this.#reader.read(this.#pages, index);
    if (!store) return;
    const place = this.#placeAt(this.#window.range(this.count, 0)[0]);
    store();
    this.#showPlace(place);
  }

  /** The record that is at `first`, the one that has the focus, and how far it is scrolled. */
  #placeAt(first) {
    const { top } = this.#window;
    if (this.#place?.top === top) return this.#place;
    const focused = document.activeElement.closest?.("#records tr")?.record?.message_id;
    return { first, anchor: this.#pages?.row(first)?.message_id, focused, top };
  }

  /**
   * Renders so that the records of a place are where they were. If new records have moved them to a
   * page that must be read again, the rows on the screen stay until it is.
   */
  #showPlace(place) {
    const shift = place.anchor === undefined ? 0 : this.#pages.shiftOf(place.anchor, place.first);
    this.#place = shift === null && this.#pages.staleIndex >= 0 ? place : null;
    if (this.#place) return this.#readMissing(...this.#window.range(this.count, SPARE));
    if (shift && this.#window.top > 0) this.#window.moveBy(shift);
    this.#render();
    if (place.focused !== undefined) this.focusRecord(place.focused);
  }

  /** Scrolls to a row and focuses it as soon as its record arrives. */
  focusRow(index) {
    this.active = Math.max(0, Math.min(index, this.count - 1));
    this.#window.reveal(this.active, this.count);
    this.#isFocusDue = true;
    this.#render();
  }

  /** The index of a record and the number of rows; null if it is on no cached page. */
  placeOf(id) {
    const index = this.#pages?.indexOf(id) ?? -1;
    return index < 0 ? null : { index, count: this.count };
  }

  /** Scrolls to the record `step` rows after one that is cached; null if there is none. */
  async neighbour(id, step) {
    const place = this.placeOf(id);
    const index = place && place.index + step;
    if (place === null || index < 0 || index >= place.count) return null;
    this.active = index;
    this.#window.reveal(index, this.count);
    this.#render();
    if (this.#pages.isMissing(index, this.count)) await this.#readInPlace(index);
    return this.#pages.row(index) ?? null;
  }

  /** Focuses the row of a message if the table shows it. */
  focusRecord(id) {
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
    if (this.#body.contains(document.activeElement)) this.#window.focus();
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
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
        row = newRow(index, this.#view.fields);
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

  #readMissing(first, end) {
    const inView = [first, end - 1];
    const soon = [end - 1 + AHEAD, first - AHEAD];
    const isMissing = (index) => index >= 0 && this.#pages.isMissing(index, this.count);
    const lost = this.#place ? [this.#pages.staleIndex] : [];
    const index = [...lost, ...inView].find(isMissing) ??
      (this.#reader.isBusy ? undefined : soon.find(isMissing));
    if (index === undefined || end <= first || this.#hasFailed) return;
    // Any other reading is for rows that are no longer visible, so this one replaces it.
    if (this.#reader.isReading(this.#pages, index)) return;
    this.#readInPlace(index).catch((failure) => {
      this.#hasFailed = true;
      this.#onFailure(failure);
    });
  }
}
