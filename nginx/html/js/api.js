// Requests to the service, and what can go wrong with them.

import { parseExactly } from "./exact.js";
import { storedKey } from "./sign-in.js";

const WAIT_SECONDS = 30;

/** Why a request failed; the page has one state for each `kind`. */
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
    || `The service returned status ${response.status}.`;
  const seconds = Number(response.headers.get("Retry-After") ?? NaN);
  return new Failure(kind, message, {
    retryAfter: Number.isFinite(seconds) ? seconds : null, errors: problem.errors ?? [],
  });
}

/** Whether the page itself aborted the request, because it no longer needs the response. */
export const isAbort = (error) => error.name === "AbortError";

/**
 * A response with status 200 or 304; throws a `Failure` for any other status, or if the body has
 * not arrived within `seconds`.
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
      throw new Failure("slow", `The service did not respond within ${seconds} seconds.`);
    }
    throw new Failure("offline", "The service is unreachable.");
  }
  if (!response.ok && response.status !== 304) throw await failureOf(response);
  return response;
}

/** The body's text; a body that is cut off is a failure. */
async function textOf(response) {
  try {
    return await response.text();
  } catch (error) {
    if (isAbort(error)) throw error;
    if (error.name === "TimeoutError") throw new Failure("slow", "The response took too long.");
    throw new Failure("unavailable", "The response was cut off.");
  }
}

/** The content of a JSON body; its numbers keep every digit. */
export async function contentOf(response) {
  const text = await textOf(response);
  try {
    return parseExactly(text);
  } catch {
    throw new Failure(
      "failed", "The response is not JSON: a proxy or a sign-in page may be in the way.");
  }
}

/** Responses that are revalidated by their ETag; an unchanged response is the same object. */
export class ResponseCache {
  #cached = new Map();
  #limit = 8;

  async get(address, signal) {
    const before = this.#cached.get(address);
    const response = await ask(address, { etag: before?.etag, signal });
    const entry = response.status === 304
      ? before
      : { etag: response.headers.get("ETag"), body: await contentOf(response) };
    this.#cached.delete(address);
    this.#cached.set(address, entry);
    if (this.#cached.size > this.#limit) this.#cached.delete(this.#cached.keys().next().value);
    return entry.body;
  }

  /** Responses read with one key must not be shown with another. */
  clear() {
    this.#cached.clear();
  }
}
