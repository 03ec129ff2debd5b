// The values that a filter offers: users, teams, models, values of a tag, or reports.

import { ResponseCache } from "../shared/api.js";
import { withoutPart } from "./parts.js";
import { filterOf, queryText } from "./view.js";

const MOST = 1000;

const responses = new ResponseCache();

export const forgetValues = () => responses.clear();

/** The values and their credits, and whether there are more. */
async function read(view, part, prefix, signal) {
  const parameters = filterOf({ ...view, filters: withoutPart(view.filters, part) });
  if (part === "report_name") {
    for (const [name, value] of [["group_by", part], ["top", MOST], ["granularity", "total"]]) {
      parameters.set(name, value);
    }
    const { groups } = await responses.get(`/usage/summary${queryText(parameters)}`, signal);
    const values = groups.filter((group) => group[part] !== undefined)
      .map((group) => ({ value: group[part], credits_used: group.credits_used }));
    return { values, more: groups.at(-1)?.other ?? false };
  }
  parameters.set("of", part);
  parameters.set("limit", MOST);
  if (prefix) parameters.set("prefix", prefix);
  return responses.get(`/usage/attributions${queryText(parameters)}`, signal);
}

/**
 * The values that contain `text`, those with the most credits first. If there are too many to read
 * them all, values beyond these are found by their first characters, and `isCut` is true.
 */
export async function valuesLike(view, part, text, signal) {
  const { values, more } = await read(view, part, "", signal);
  const searched = text.toLowerCase();
  const found = values.filter(({ value }) => value.toLowerCase().includes(searched));
  if (!more || !text || part === "report_name") return { values: found, isCut: more };
  const known = new Set(found.map(({ value }) => value));
  const beyond = await read(view, part, text, signal);
  return {
    values: [...found, ...beyond.values.filter(({ value }) => !known.has(value))],
    isCut: true,
  };
}
