// Questions to the service, and what can go wrong with them.

import { storedKey } from "./sign-in.js";

const WAIT_SECONDS = 30;

/** Why there is no answer; `kind` is what the page has a state for. */
export class Failure extends Error {
  constructor(kind, message, { retryAfter = null, errors = [] } = {}) {
    super(message);
    this.kind = kind;
    this.retryAfter = retryAfter;
    this.errors = errors;
  }
}

const KINDS = {
  400: "invalid", 401: "unauthorised", 403: "forbidden", 404: "missing", 429: "limited",
};

async function failureOf(response) {
  const kind = KINDS[response.status] ?? (response.status >= 500 ? "unavailable" : "failed");
  const problem = await response.json().catch(() => ({}));
  const message = problem.errors?.map((each) => each.message).join(" ") || problem.detail
    || `The service answered with status ${response.status}.`;
  const seconds = Number(response.headers.get("Retry-After") ?? NaN);
  return new Failure(kind, message, {
    retryAfter: Number.isFinite(seconds) ? seconds : null, errors: problem.errors ?? [],
  });
}

/** Aborted by the page itself: nobody waits for this answer any more. */
export const isAbort = (error) => error.name === "AbortError";

/**
 * An answer with status 200 or 304; throws a `Failure` for anything else, and for one whose body is
 * not there in `seconds`.
 */
export async function ask(
  address, { method = "GET", etag = null, signal = null, seconds = WAIT_SECONDS } = {},
) {
  const headers = {};
  if (etag) headers["If-None-Match"] = etag;
  if (storedKey()) headers.Authorization = `Bearer ${storedKey()}`;
  const timeout = AbortSignal.timeout(seconds * 1000);
  let response;
  try {
    response = await fetch(address, {
      method, headers, cache: "no-store",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    if (error.name === "TimeoutError") {
      throw new Failure("slow", `The service has not answered for ${seconds} seconds.`);
    }
    throw new Failure("offline", "The service cannot be reached.");
  }
  if (!response.ok && response.status !== 304) throw await failureOf(response);
  return response;
}

/** The body's text; one that breaks off is no answer. */
async function textOf(response) {
  try {
    return await response.text();
  } catch (error) {
    if (isAbort(error)) throw error;
    if (error.name === "TimeoutError") throw new Failure("slow", "The answer takes too long.");
    throw new Failure("unavailable", "The answer broke off before its end.");
  }
}

/** What the body says, as `read` finds it in the text. */
export async function contentOf(response, read = JSON.parse) {
  const text = await textOf(response);
  try {
    return read(text);
  } catch {
    throw new Failure("failed", "The answer is not the service's.");
  }
}

/** Answers that are asked for again only with their tag: the same object means no change. */
export class Answers {
  #kept = new Map();
  #limit = 8;

  async get(address, signal) {
    const before = this.#kept.get(address);
    const response = await ask(address, { etag: before?.etag, signal });
    const answer = response.status === 304
      ? before
      : { etag: response.headers.get("ETag"), body: await contentOf(response) };
    this.#kept.delete(address);
    this.#kept.set(address, answer);
    if (this.#kept.size > this.#limit) this.#kept.delete(this.#kept.keys().next().value);
    return answer.body;
  }

  /** What another key may have seen is nothing for the next one. */
  clear() {
    this.#kept.clear();
  }
}
