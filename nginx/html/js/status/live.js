// Polls while the page is visible, and less often while requests fail.

import { isAbort } from "../shared/api.js";
import { onRetry, showFailure, showFresh, showWaiting } from "./status.js";

const INTERVAL_SECONDS = 3;
const LONGEST_SECONDS = 60;
/** A retry would fail again: the address or the key must change first. */
const PERMANENT = ["invalid", "unauthorised", "forbidden", "missing"];

/**
 * Calls `load(signal)` again and again. A new view, the retry button, and the return of the tab or
 * of the network call `now`, which aborts the load in progress.
 */
export class Live {
  #load;
  #onFailure;
  #timer = null;
  #loading = null;
  #failures = 0;
  #isShown = false;

  constructor(load, onFailure) {
    this.#load = load;
    this.#onFailure = onFailure;
    onRetry(() => this.now());
    addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) clearTimeout(this.#timer);
      else this.now();
    });
  }

  async now() {
    clearTimeout(this.#timer);
    this.#loading?.abort();
    const loading = this.#loading = new AbortController();
    showWaiting(!this.#isShown);
    try {
      await this.#load(loading.signal);
      if (loading.signal.aborted) return;
      this.#isShown = true;
      this.#failures = 0;
      showFresh();
      this.#loadIn(INTERVAL_SECONDS);
    } catch (error) {
      if (isAbort(error) || loading.signal.aborted) return;
      this.failed(error);
    }
  }

  /** Shows a failure of `load` or of another part of the page, and retries later. */
  failed(failure) {
    clearTimeout(this.#timer);
    this.#failures += 1;
    const backoff = Math.min(LONGEST_SECONDS, INTERVAL_SECONDS * 2 ** (this.#failures - 1));
    const seconds = PERMANENT.includes(failure.kind)
      ? null : Math.max(failure.retryAfter ?? 0, backoff);
    showFailure(failure, seconds, !this.#isShown);
    this.#onFailure(failure);
    if (seconds !== null) this.#loadIn(seconds);
  }

  #loadIn(seconds) {
    if (!document.hidden) this.#timer = setTimeout(() => this.now(), seconds * 1000);
  }
}
