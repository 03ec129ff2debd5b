// Reads one page of records at a time: a new reading replaces the one in progress.

import { isAbort } from "../shared/api.js";
import { samePage } from "./pages.js";

export class Reader {
  #reading = null;
  #onStep;

  /** Calls `onStep(index, done, all)` while the cursor of a row's page is being found. */
  constructor(onStep) {
    this.#onStep = onStep;
  }

  get isBusy() { return this.#reading !== null; }

  /** Whether the page of a row, or another view, is being read. */
  isReading(pages, index) {
    if (!this.#reading) return false;
    return this.#reading.pages !== pages || samePage(this.#reading.index, index);
  }

  abort() {
    this.#reading?.abort();
  }

  /** Reads a page and returns a function that stores it; null if another reading replaced it. */
  async read(pages, index) {
    this.abort();
    const reading = this.#reading = Object.assign(new AbortController(), { pages, index });
    const distance = pages.distance(index);
    try {
      const store = await pages.read(index, reading.signal, () => {
        this.#onStep(index, distance - pages.distance(index), distance);
      });
      return reading.signal.aborted ? null : store;
    } catch (error) {
      if (isAbort(error)) return null;
      throw error;
    } finally {
      if (this.#reading === reading) this.#reading = null;
    }
  }
}
