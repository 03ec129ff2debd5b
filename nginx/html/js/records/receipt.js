// The receipt of one message: to whom it belongs and how its credits were calculated.

import { addressOf, ask, contentOf, isAbort } from "../shared/api.js";
import { element } from "../shared/dom.js";
import { count, credits, preciseTime } from "../shared/format.js";
import { queryText } from "../view/view.js";
import { linesOf } from "./receipt-lines.js";

const dialog = element("receipt");
const body = element("receipt-body");
/** The message that is shown: the id that was asked for, the zone, and the record or null. */
let shown = null;
let loading = null;
let table = null;
/** Calls with the id of the message to show, or null. */
let onChange = null;

function listOf(lines, sum) {
  const list = document.createElement("dl");
  for (const [name, value] of [...lines, ["Credits", credits(sum)]]) {
    const line = document.createElement("div");
    line.append(document.createElement("dt"), document.createElement("dd"));
    line.firstChild.textContent = name;
    line.lastChild.textContent = value;
    list.append(line);
  }
  return list;
}

function note(text) {
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  return paragraph;
}

const isMissing = (error) => error.kind === "missing";
const isNumber = (id) => /^(0|-?[1-9]\d{0,18})$/.test(id);

async function recordOf(id, signal) {
  return contentOf(await ask(`/usage/${id}`, { signal }));
}

/** The record with a `message_id` or else an `external_id`; throws a failure if there is none. */
async function find(id, signal) {
  let failure = null;
  if (isNumber(id)) {
    try {
      return await recordOf(id, signal);
    } catch (error) {
      // An id beyond 64 bits is invalid; it may be an external id.
      if (!isMissing(error) && error.kind !== "invalid") throw error;
      failure = error;
    }
  }
  const query = new URLSearchParams({ external_id: id, fields: "message_id" });
  const { usage: [found] } = await contentOf(await ask(`/usage${queryText(query)}`, { signal }));
  if (found) return recordOf(found.message_id, signal);
  throw failure ?? new Error(`No message has the external id “${id}”.`);
}

/** Shows where the record is in the table, and whether one comes before or after it. */
export function showPlace() {
  // Until a record arrives, the buttons stay as they are, and so does the focus.
  if (body.ariaBusy === "true") return;
  const place = shown?.record ? table.placeOf(shown.record.message_id) : null;
  const text = place ? `${count(place.index + 1)} of ${count(place.count)} in the table` : "";
  const line = element("receipt-place");
  // A screen reader repeats the text of a live region when it is set, even if it is the same.
  if (line.textContent !== text) line.textContent = text;
  const [previous, next] = [element("receipt-previous"), element("receipt-next")];
  const hadFocus = [previous, next].includes(document.activeElement);
  previous.disabled = !place || place.index === 0;
  next.disabled = !place || place.index + 1 >= place.count;
  if (!hadFocus || !document.activeElement?.disabled) return;
  (previous.disabled ? next.disabled ? dialog.querySelector(".primary") : next : previous).focus();
}

async function move(step) {
  const record = await table.neighbour(shown.record.message_id, step);
  if (record) onChange(String(record.message_id));
}

/** `records` is the table; `change` is called with the id of another message, null if closed. */
export function startReceipt(records, change) {
  table = records;
  onChange = change;
  element("receipt-previous").addEventListener("click", () => move(-1));
  element("receipt-next").addEventListener("click", () => move(1));
  element("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const id = element("find-text").value.trim();
    if (id) onChange(id);
  });
  dialog.addEventListener("close", () => {
    loading?.abort();
    const record = shown?.record;
    const wasFound = shown?.id === element("find-text").value.trim();
    shown = null;
    // The browser returns the focus to what has opened the receipt.
    if (record && !wasFound) table.focusRecord(record.message_id);
    // Previous and next may have scrolled the row to where the window does not reach.
    document.activeElement.scrollIntoView({ block: "nearest" });
    if (document.activeElement === document.body) element("scroller").focus();
    onChange(null);
  });
  dialog.addEventListener("click", (event) => {
    // A click on the content has another target; the dialog itself is the backdrop.
    if (event.target === dialog) dialog.close();
  });
}

/** Shows the receipt of the message with an id; null closes it. */
export async function showReceipt(id, zone) {
  if (id === null) {
    if (dialog.open) dialog.close();
    return;
  }
  if (shown?.id === id && shown.zone === zone) return;
  loading?.abort();
  loading = new AbortController();
  const { signal } = loading;
  const showing = shown = { id, zone, record: null };
  // Another receipt stays until this one has arrived.
  if (!dialog.open) {
    element("receipt-title").textContent = `Message ${id}`;
    body.replaceChildren(note("Loading …"));
    element("permalink").hidden = true;
    showPlace();
    dialog.showModal();
  }
  body.ariaBusy = "true";
  try {
    showing.record = await find(id, signal);
    const { message_id: number, credits_used: sum } = showing.record;
    element("receipt-title").textContent =
      `${sum < 0 ? "Correction" : "Message"} ${number}`;
    element("permalink").href = addressOf(`/?message=${number}`);
    element("permalink").hidden = false;
    body.replaceChildren(listOf(linesOf(showing.record, (time) => preciseTime(time, zone)), sum));
  } catch (error) {
    if (isAbort(error)) return;
    element("receipt-title").textContent = `Message ${id}`;
    element("permalink").hidden = true;
    body.replaceChildren(note(error.message));
  }
  body.ariaBusy = "false";
  showPlace();
}
