// The line that says how fresh the page is, and what failed.

import { show } from "./focus.js";

const element = (id) => document.getElementById(id);
const SLOW_AFTER = 2000;

/** How grave each kind is; the others are faults. */
const SEVERITIES = { live: "none", busy: "none", slow: "pause", limited: "pause" };

function say(kind, text, canRetry = false) {
  const state = element("state");
  // A live region repeats what is written into it, even if it is the same.
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
  }, SLOW_AFTER);
}

export function showFresh() {
  clearTimeout(slowness);
  seen = new Date().toLocaleTimeString("en-GB");
  const state = element("state");
  // The same every few seconds: a screen reader must read it out only once.
  if (state.dataset.kind !== "live") say("live", "Live");
  state.title = `Last checked at ${seen}`;
}

/** Says what failed, and when it is retried; without `seconds` it is not. */
export function showFailure(failure, seconds) {
  clearTimeout(slowness);
  const way = seconds === null ? "" : ` Retrying in ${Math.ceil(seconds)} s.`;
  // The sign-in form is shown instead.
  const canRetry = !["unauthorised", "forbidden"].includes(failure.kind);
  say(failure.kind, `${failure.message}${way}${stale()}`, canRetry);
}

export function onRetry(action) {
  element("retry").addEventListener("click", action);
}
