// What is shown where there are no messages: how to record the first one, or how to see others.

import { element, show } from "../shared/dom.js";
import { records } from "../shared/format.js";

/** The lines are short enough for a phone. */
const MESSAGE = `{"external_id":"first-message",
  "user_id":"u-1","model":"gpt-5",
  "message_text":"What is the rent?"}`;

/** Calls `onWiden` with the changes that show more. */
export function startEmpty(onWiden) {
  element("all-time").addEventListener("click", () =>
    onWiden({ range: "all", from: null, to: null, outer: null }));
  element("no-filters").addEventListener("click", () => onWiden({ filters: [] }));
  const address = new URL("usage", document.baseURI);
  element("first-message").textContent = `curl -H "Authorization: Bearer $KEY" \\\n`
    + "  -H 'Content-Type: application/json' \\\n"
    + `  -d '${MESSAGE}' \\\n  ${address}`;
  for (const button of document.querySelectorAll(".copied button")) {
    button.addEventListener("click", () => copy(button));
  }
}

/** Copies the text before a button. */
async function copy(button) {
  const text = button.previousElementSibling;
  getSelection().selectAllChildren(text);
  try {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
  } catch {
    // Without TLS, browsers have no clipboard for pages; the selection can still be copied.
    button.textContent = "Selected";
  }
}

/**
 * Shows what to do if a view has no messages; `isNew` says that there is not a single record, and
 * `owner` whose records a bound key shows.
 */
export function showEmpty({ totals }, { from, to, filters }, isNew, owner) {
  const isEmpty = records(totals) === 0;
  element("first-title").textContent =
    owner ? `No messages of ${owner} recorded yet` : "No messages recorded yet";
  // Whoever has such a key does not administer the service.
  element("first-steps").hidden = owner !== "";
  show(element("first"), isEmpty && isNew);
  if (isEmpty && isNew) element("main").dataset.panel = "first";
  else delete element("main").dataset.panel;
  const others = filters.length > 0 ? "fewer filters" : "";
  const wider = from || to ? "a wider range" : "";
  const advice = [wider, others].filter(Boolean).join(" or ");
  for (const id of ["chart-empty", "records-empty"]) {
    element(id).hidden = !isEmpty;
    element(id).textContent = `No messages match.${advice && ` Try ${advice}.`}`;
  }
  show(element("widen"), isEmpty && advice !== "", element("preset"));
  show(element("all-time"), wider !== "", element("preset"));
  show(element("no-filters"), others !== "", element("preset"));
}
