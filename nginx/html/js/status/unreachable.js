// The panel that takes the place of the page if the first load fails: why, and when it is retried.

import { element, show } from "../shared/dom.js";

/** Other kinds of failure need another view or a key instead of another attempt. */
const TITLES = {
  offline: "The service is unreachable",
  slow: "The service is slow",
  limited: "Too many requests",
  unavailable: "The service is unavailable",
  failed: "The response cannot be used",
};
/** The message of this kind is the title. */
const ADVICE = { offline: "Check the network, and whether the service runs." };

let ticking = null;

export const isUnreachable = ({ kind }) => Object.hasOwn(TITLES, kind);

/** Says why nothing was read, and counts down the seconds until it is retried. */
export function showUnreachable({ kind, message }, seconds) {
  const title = navigator.onLine ? TITLES[kind] : "This device is offline";
  // A screen reader repeats the text of an alert when it is set, even if it is the same.
  for (const [id, text] of [["title", title], ["reason", ADVICE[kind] ?? message]]) {
    const part = element(`unreachable-${id}`);
    if (part.textContent !== text) part.textContent = text;
  }
  element("unreachable").hidden = false;
  element("main").dataset.panel = "unreachable";
  countDown(Math.ceil(seconds));
}

/** Not in the alert: a screen reader must not read each second. */
function countDown(seconds) {
  clearInterval(ticking);
  const end = performance.now() + seconds * 1000;
  const tick = () => {
    const rest = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    element("countdown").textContent = rest > 0 ? `Retrying in ${rest} s` : "Retrying …";
  };
  tick();
  ticking = setInterval(tick, 1000);
}

export function hideUnreachable() {
  if (element("unreachable").hidden) return;
  clearInterval(ticking);
  delete element("main").dataset.panel;
  show(element("unreachable"), false);
}
