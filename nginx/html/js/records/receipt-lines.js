// The lines of a receipt: the attribution of a record, what was priced, and the calculation.

import { count, credits, rate, total } from "../shared/format.js";

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
  if (receipt.priced_by === "correction") return { lines: [] };
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

/** Who and what a record belongs to; members that it does not have are left out. */
function attributionOf({ external_id: external, user_id: user, team_id: team, model, tags = {} }) {
  return [
    ["External id", external], ["User", user], ["Team", team], ["Model", model],
    ...Object.entries(tags).map(([key, value]) => [`Tag ${key}`, value]),
  ].filter(([, value]) => value !== undefined);
}

/** The corrections of a record, and what they leave of its credits. */
function correctionsOf({ credits_used: sum, receipt: { corrections = [] } }, timeText) {
  if (corrections.length === 0) return [];
  const amounts = corrections.map((each) => each.credits_used);
  return [
    ...corrections.map(({ message_id: id, timestamp, reason, credits_used: amount }) =>
      ["Correction", `${credits(amount)} on ${timeText(timestamp)} (${id}): ${reason}`]),
    ["Left after corrections", credits(total([sum, ...amounts]))],
  ];
}

/** The lines of a receipt, name and value; `timeText` writes its times. */
export function linesOf(record, timeText) {
  const { receipt } = record;
  const corrections = correctionsOf(record, timeText);
  const { lines, calculated } = measureOf(receipt);
  lines.unshift(
    ["Time", timeText(record.timestamp)], ["Report", record.report_name ?? "None"],
    ...attributionOf(record));
  if (receipt.priced_by === "correction") {
    return [...lines, ["Corrects", record.corrects], ["Reason", record.reason]];
  }
  if (receipt.priced_by === "writer") {
    return [...lines, ["Price", "Set by the sender"], ...corrections];
  }
  if (record.model) lines.push(["Rate for", receipt.model ?? "all models"]);
  lines.push(
    ["Rate since", receipt.rate_effective_from
      ? timeText(receipt.rate_effective_from) : "initial rate"],
    ["Calculated", calculated],
    ["Minimum", credits(receipt.minimum) + (receipt.minimum_applied ? " (applied)" : "")],
    ...corrections,
  );
  return lines;
}
