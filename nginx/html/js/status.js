// The one line that says how fresh the page is, and what is in the way.

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
    ? " What is shown is the view before." : ` What is shown is of ${seen}.`;
}

/** Says that an answer takes long, once it does; the others call this off. */
export function showWaiting(isFirst) {
  clearTimeout(slowness);
  if (isFirst) say("busy", "Reading …");
  slowness = setTimeout(() => {
    say("slow", `The service is slow; still waiting.${stale()}`, true);
  }, SLOW_AFTER);
}

export function showFresh() {
  clearTimeout(slowness);
  seen = new Date().toLocaleTimeString("en-GB");
  const state = element("state");
  // Every few seconds the same: read out once, not again and again.
  if (state.dataset.kind !== "live") say("live", "Live");
  state.title = `Last asked at ${seen}`;
}

/** Says what failed and when it is tried again; without `seconds`, that it takes a person. */
export function showFailure(failure, seconds) {
  clearTimeout(slowness);
  const way = seconds === null ? "" : ` Asking again in ${Math.ceil(seconds)} s.`;
  // Where a key is asked for, that is the way on.
  const canRetry = !["unauthorised", "forbidden"].includes(failure.kind);
  say(failure.kind, `${failure.message}${way}${stale()}`, canRetry);
}

export function onRetry(action) {
  element("retry").addEventListener("click", action);
}
