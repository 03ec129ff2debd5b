// Paginated records. Each page has the cursor of the next one; only a few pages are cached, so
// that a million records take no more memory than a thousand.

import { ask, contentOf } from "../shared/api.js";
import { queryText } from "../view/view.js";

/** The records of a page, and the number of cached pages. */
const PAGE = 1000, CACHED = 6;

export const samePage = (one, other) => Math.floor(one / PAGE) === Math.floor(other / PAGE);

function cursorOf(response) {
  const address = response.headers.get("Link")?.match(/<([^>]*)>; rel="next"/)?.[1];
  return address ? new URL(address, location.origin).searchParams.get("cursor") : null;
}

/** Whether two views have the same records in the same order, but for the zone's dates. */
export function isSamePlace(one, other) {
  const key = ({ range, from, to, filters, sort }) =>
    JSON.stringify([range, ...(range === null ? [from, to] : []), filters, sort]);
  return key(one) === key(other);
}

export class Pages {
  #parameters;
  /** The cursor of each known page; the first page has no cursor. */
  #starts = [null];
  /** The cached pages by number: their records, and the revision at which they were read. */
  #pages = new Map();
  /** The cached pages of an older revision, which are shown until they are read again. */
  #stale = new Set();
  #end = null;

  /** `parameters` are the query of GET /usage with `fields`, without limit and cursor. */
  constructor(parameters) {
    this.#parameters = parameters;
  }

  /** Pages with other parameters: these pages if the parameters are the same. */
  like(parameters) {
    if (parameters.toString() === this.#parameters.toString()) return this;
    const pages = new Pages(parameters);
    const filters = [this.#parameters, parameters].map((each) => {
      const others = new URLSearchParams(each);
      others.delete("fields");
      return others.toString();
    });
    // A cursor is valid with other fields, too.
    if (filters[0] === filters[1]) pages.#starts = [...this.#starts];
    return pages;
  }

  row(index) {
    return this.#pages.get(Math.floor(index / PAGE))?.rows[index % PAGE];
  }

  /** The row of a record, -1 if it is on no cached page. */
  indexOf(id) {
    for (const [number, { rows }] of this.#pages) {
      const place = rows.findIndex(({ message_id: each }) => each === id);
      if (place >= 0) return number * PAGE + place;
    }
    return -1;
  }

  /** By how many rows a record has moved; null if it is on no cached page nearby. */
  shiftOf(id, index) {
    for (let distance = 0; distance < 1000; distance += 1) {
      if (this.row(index + distance)?.message_id === id) return distance;
      if (this.row(index - distance)?.message_id === id) return -distance;
    }
    return null;
  }

  /** The first row of a cached page that must be read again; -1 if there is none. */
  get staleIndex() { return this.#stale.size > 0 ? Math.min(...this.#stale) * PAGE : -1; }

  get isWhole() { return this.#end !== null; }

  /** The number of rows: known if the last page was read, otherwise at least `total`. */
  count(total) {
    const seen = [...this.#pages].map(([number, { rows }]) => number * PAGE + rows.length);
    return this.#end ?? Math.max(total, ...seen);
  }

  /** The number of pages between the known ones and the page of `index`. */
  distance(index) {
    return Math.max(0, Math.floor(index / PAGE) - this.#starts.length + 1);
  }

  /** Whether the page of `index`, one of `count` rows, must be read. */
  isMissing(index, count) {
    const number = Math.floor(index / PAGE);
    return index < count && (!this.#pages.has(number) || this.#stale.has(number));
  }

  /** Marks the pages that are older than a revision. */
  expire(revision) {
    for (const [number, page] of this.#pages) {
      if (page.revision >= revision) continue;
      this.#stale.add(number);
      this.#end = null;
    }
  }

  /**
   * Reads the page of `index` and returns a function that stores it. Calls `onStep` after each page
   * whose cursor had to be read before.
   */
  async read(index, signal, onStep) {
    const number = Math.floor(index / PAGE);
    while (this.#starts.length <= number) {
      // Only the cursor is needed, so HEAD is enough.
      const last = this.#starts.length - 1;
      const response = await ask(this.#page(last), { method: "HEAD", signal });
      const next = cursorOf(response);
      if (!next) return this.read(last * PAGE, signal, onStep);
      this.#starts.push(next);
      onStep();
    }
    const response = await ask(this.#page(number), { signal });
    const { usage } = await contentOf(response);
    const revision = Number(response.headers.get("X-Usage-Revision"));
    return () => this.#store(number, usage, revision, cursorOf(response));
  }

  #page(number) {
    const parameters = new URLSearchParams(this.#parameters);
    // Which is no column: it marks the records that have corrections.
    parameters.set("fields", `${parameters.get("fields")},corrected`);
    parameters.set("limit", PAGE);
    if (number > 0) parameters.set("cursor", this.#starts[number]);
    return `/usage${queryText(parameters)}`;
  }

  #store(number, rows, revision, next) {
    this.#pages.set(number, { rows, revision });
    this.#stale.delete(number);
    if (next !== (this.#starts[number + 1] ?? null)) {
      // Records were added or removed, so the following pages start elsewhere.
      this.#end = null;
      this.#starts.length = number + 1;
      if (next) this.#starts.push(next);
      for (const later of this.#pages.keys()) if (later > number) this.#stale.add(later);
    }
    if (!next) {
      this.#end = number * PAGE + rows.length;
      for (const later of this.#pages.keys()) if (later > number) this.#pages.delete(later);
    }
    const byDistance = [...this.#pages.keys()]
      .sort((one, other) => Math.abs(one - number) - Math.abs(other - number));
    for (const far of byDistance.slice(CACHED)) {
      this.#pages.delete(far);
      this.#stale.delete(far);
    }
  }
}
