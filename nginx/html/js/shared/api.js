// Requests to the service, the key that they carry, and how they fail. Knows nothing of the page.

const TIMEOUT_SECONDS = 30;
const KEY = "orbital-key";

/** The folder of the page: a site may be under a path prefix. */
const ROOT = new URL("../../", import.meta.url).pathname;

/** The address of a path of the API. */
export const addressOf = (path) => ROOT + path.slice(1);

/** The API key of this tab, or null. It is stored in session storage only. */
export const storedKey = () => sessionStorage.getItem(KEY);

/** Stores the API key of this tab; null removes it. */
export function storeKey(key) {
  if (key === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, key);
}

/** Why a request failed; the page has one state for each `kind`. */
class Failure extends Error {
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
 * The response of a path of the API, or of an address, with status 200 or 304; throws a `Failure`
 * for any other status, or if the body has not arrived within `seconds`.
 */
export async function ask(
  address, { method = "GET", etag = null, signal = null, seconds = TIMEOUT_SECONDS } = {},
) {
  const headers = {};
  if (etag) headers["If-None-Match"] = etag;
  if (storedKey()) headers.Authorization = `Bearer ${storedKey()}`;
  const timeout = AbortSignal.timeout(seconds * 1000);
  let response;
  try {
    response = await fetch(address.startsWith("/") ? addressOf(address) : address, {
      method, headers, cache: "no-store",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    if (error.name === "TimeoutError") {
      throw new Failure("slow", `The service did not respond within ${seconds} seconds.`);
    }
    throw new Failure("offline", navigator.onLine
      ? "The service is unreachable." : "This device is offline.");
  }
  if (!response.ok && response.status !== 304) throw await failureOf(response);
  return response;
}

/** The body's text; throws a `Failure` if the body is incomplete. */
async function textOf(response) {
  try {
    return await response.text();
  } catch (error) {
    if (isAbort(error)) throw error;
    if (error.name === "TimeoutError") throw new Failure("slow", "The response took too long.");
    throw new Failure("unavailable", "The response was cut off.");
  }
}

/** `JSON.parse`, but numbers of 16 or more characters become strings, so no digit is lost. */
function parseExactly(text) {
  // `":` after a word character ends a member's name: inside a string, the quote is escaped.
  return JSON.parse(text.replace(/(\w":)(-?\d[\d.]{15,})/g, '$1"$2"'));
}

/** The content of a JSON body; numbers with many digits are strings. */
export async function contentOf(response) {
  const text = await textOf(response);
  try {
    return parseExactly(text);
  } catch {
    throw new Failure(
      "failed", "The response is not JSON: a proxy or a sign-in page may have replaced it.");
  }
}

/** Cached responses, revalidated by their ETag; an unchanged response is the same object. */
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
