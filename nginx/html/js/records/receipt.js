// The receipt: how the credits of one message were calculated.

import { ask, contentOf, isAbort } from "../shared/api.js";
import { element } from "../shared/dom.js";
import { count, credits, preciseTime, rate } from "../shared/format.js";

const dialog = element("receipt");
const body = element("receipt-body");
let loading = null;

function counting({ tokenizer, characters, tokens, estimated }) {
  return tokenizer === "characters"
    ? `${count(characters)} characters ÷ 4 = ${credits(tokens)} tokens`
      + (estimated ? " (estimated)" : "")
    : `${count(tokens)} tokens, counted with ${tokenizer}`;
}

const KINDS = {
  input: "Input tokens", cache_read: "Cached input tokens",
  cache_creation: "Input tokens written to the cache", output: "Output tokens",
};

/** The lines about what was priced, and the calculation. */
function measureOf(receipt) {
  if (receipt.measure === "reported") {
    const lines = (receipt.lines ?? []).map((line) => [KINDS[line.kind],
      `${count(line.tokens)} × ${rate(line.credits_per_million_tokens)} ÷ 1 million`
        + ` = ${rate(line.credits)}`]);
    return { lines, calculated: rate(receipt.calculated) };
  }
  const lines = [["Characters", count(receipt.characters)]];
  if (receipt.priced_by === "writer") {
    return { lines: [...lines, ["Tokens", credits(receipt.tokens)]] };
  }
  const price = rate(receipt.credits_per_100_tokens);
  lines.push(["Tokens", counting(receipt)], ["Rate", `${price} credits per 100 tokens`]);
  return {
    lines,
    calculated: `${credits(receipt.tokens)} ÷ 100 × ${price} = ${rate(receipt.calculated)}`,
  };
}

/** The lines of a receipt: name and value. */
function linesOf(record, zone) {
  const { receipt } = record;
  const { lines, calculated } = measureOf(receipt);
  lines.unshift(
    ["Time", preciseTime(record.timestamp, zone)], ["Report", record.report_name ?? "None"]);
  if (receipt.priced_by === "writer") return [...lines, ["Price", "Set by the sender"]];
  if (record.model) {
    lines.push(["Model", record.model], ["Rate for", receipt.model ?? "all models"]);
  }
  lines.push(
    ["Rate since", receipt.rate_effective_from
      ? preciseTime(receipt.rate_effective_from, zone) : "initial rate"],
    ["Calculated", calculated],
    ["Minimum", credits(receipt.minimum) + (receipt.minimum_applied ? " (applied)" : "")],
  );
  return lines;
}

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

/** Opens the receipt of a message; the focus returns to `opener`. */
export async function showReceipt(id, opener, zone) {
  element("receipt-title").textContent = `Message ${id}`;
  body.replaceChildren(note("Loading …"));
  dialog.addEventListener("close", () => {
    loading?.abort();
    // Scrolling or a change may have removed the row.
    if (opener.isConnected) opener.focus({ preventScroll: true });
  }, { once: true });
  dialog.showModal();
  loading = new AbortController();
  try {
    const record = await contentOf(await ask(`/usage/${id}`, { signal: loading.signal }));
    body.replaceChildren(listOf(linesOf(record, zone), record.credits_used));
  } catch (error) {
    if (!isAbort(error)) body.replaceChildren(note(error.message));
  }
}

dialog.addEventListener("click", (event) => {
  // A click on the content has another target; the dialog itself is the backdrop.
  if (event.target === dialog) dialog.close();
});
