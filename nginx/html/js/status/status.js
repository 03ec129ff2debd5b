// What the page says about itself: how fresh it is, what failed, and what is wrong with the URL.

import { element, show } from "../shared/dom.js";
import { clockText } from "../shared/format.js";
import { hideUnreachable, isUnreachable, showUnreachable } from "./unreachable.js";

const SLOW_AFTER_MILLISECONDS = 2000;
const NOTICES_SHOWN = 8;

/** The severity of each kind; all other kinds are faults. */
const SEVERITIES = { live: "none", busy: "none", slow: "pause", limited: "pause" };

function say(kind, text, canRetry = false) {
  const state = element("state");
  // A screen reader repeats the text of a live region when it is set, even if it is the same.
  if (state.textContent !== text) state.textContent = text;
  state.dataset.kind = kind;
  state.dataset.severity = SEVERITIES[kind] ?? "fault";
  show(element("retry"), canRetry);
}

let slowness = null;
let seen = null;

function stale() {
  if (!seen) return "";
  return element("main").dataset.shows === "other"
    ? " Still showing the previous view." : ` Showing data from ${seen}.`;
}

/** Says that a response is slow, after a delay; the functions below cancel this. */
export function showWaiting(isFirst) {
  clearTimeout(slowness);
  if (isFirst) say("busy", "Loading …");
  slowness = setTimeout(() => {
    say("slow", `The service is slow; still waiting.${stale()}`, true);
  }, SLOW_AFTER_MILLISECONDS);
}

export function showFresh() {
  clearTimeout(slowness);
  hideUnreachable();
  seen = clockText(new Date());
  const state = element("state");
  // A screen reader must read this once, not after each poll.
  if (state.dataset.kind !== "live") say("live", "Live");
  state.title = `Last checked at ${seen}`;
}

/**
 * Says what failed and when it is retried; if `seconds` is null, it is not retried. `isFirst` says
 * that nothing else is shown yet.
 */
export function showFailure(failure, seconds, isFirst) {
  clearTimeout(slowness);
  if (isFirst && isUnreachable(failure)) {
    say(failure.kind, "No data yet");
    showUnreachable(failure, seconds);
    return;
  }
  hideUnreachable();
  const retry = seconds === null ? "" : ` Retrying in ${Math.ceil(seconds)} s.`;
  // The sign-in form replaces the button.
  const canRetry = !["unauthorised", "forbidden"].includes(failure.kind);
  say(failure.kind, `${failure.message}${retry}${stale()}`, canRetry);
}

export function onRetry(action) {
  for (const id of ["retry", "retry-first"]) element(id).addEventListener("click", action);
}

/** Lists what is wrong with the page's address. */
export function showNotices(sentences) {
  const list = element("notices");
  const lines = sentences.slice(0, NOTICES_SHOWN);
  if (sentences.length > NOTICES_SHOWN) lines.push(`And ${sentences.length - NOTICES_SHOWN} more.`);
  // A screen reader repeats the text of an alert when it is set, even if it is the same.
  if (lines.join("\n") === [...list.children].map((item) => item.textContent).join("\n")) return;
  list.replaceChildren(...lines.map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  }));
}

/** Says whose usage a bound key shows; an empty text says nothing. */
export function showOwner(text) {
  element("owner").textContent = text && `Usage of ${text}`;
}
