// Polls while the page is visible, and less often while requests fail.

import { isAbort } from "./api.js";
import { onRetry, showFailure, showFresh, showWaiting } from "./status.js";

const INTERVAL_SECONDS = 3;
const LONGEST_SECONDS = 60;
/** Retrying does not help: the address or the key must change first. */
const HOPELESS = ["invalid", "unauthorised", "forbidden", "missing"];

/**
 * Keeps what `load(signal)` shows up to date. A new view, a return to the tab or to the network
 * and the button all call `now`, which drops the question that is still open.
 */
export class Live {
  #load;
  #onFailure;
  #timer = null;
  #question = null;
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
    this.#question?.abort();
    const question = this.#question = new AbortController();
    showWaiting(!this.#isShown);
    try {
      await this.#load(question.signal);
      if (question.signal.aborted) return;
      this.#isShown = true;
      this.#failures = 0;
      showFresh();
      this.#askIn(INTERVAL_SECONDS);
    } catch (error) {
      if (isAbort(error) || question.signal.aborted) return;
      this.failed(error);
    }
  }

  /** Says what failed, here or elsewhere on the page, and retries later. */
  failed(failure) {
    clearTimeout(this.#timer);
    this.#failures += 1;
    const isHopeless = HOPELESS.includes(failure.kind);
    const backoff = Math.min(LONGEST_SECONDS, INTERVAL_SECONDS * 2 ** (this.#failures - 1));
    const seconds = isHopeless ? null : Math.max(failure.retryAfter ?? 0, backoff);
    showFailure(failure, seconds);
    this.#onFailure(failure);
    if (seconds !== null) this.#askIn(seconds);
  }

  #askIn(seconds) {
    if (!document.hidden) this.#timer = setTimeout(() => this.now(), seconds * 1000);
  }
}
