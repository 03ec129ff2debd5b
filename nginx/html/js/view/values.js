// The values that a filter offers: users, teams, models, values of a tag, or reports.

import { ResponseCache } from "../shared/api.js";
import { withoutPart } from "./parts.js";
import { filterOf, queryText } from "./view.js";

const MOST = 1000;

const responses = new ResponseCache();

export const forgetValues = () => responses.clear();

const named = (groups) => groups.filter((group) => group.report_name !== undefined)
  .map(({ report_name: value, credits_used }) => ({ value, credits_used }));

/** All reports of a view, however many: a sum that is not grouped has them. */
async function readAllReports(parameters, signal) {
  parameters.set("granularity", "total");
  const { by_report: groups } =
    await responses.get(`/usage/summary${queryText(parameters)}`, signal);
  return { values: named(groups), more: false };
}

/** The values and their credits, and whether there are more. */
async function read(view, part, prefix, signal) {
  const parameters = filterOf({ ...view, filters: withoutPart(view.filters, part) });
  if (part === "report_name") {
    if (prefix) return readAllReports(parameters, signal);
    for (const [name, value] of [["group_by", part], ["top", MOST], ["granularity", "total"]]) {
      parameters.set(name, value);
    }
    const { groups } = await responses.get(`/usage/summary${queryText(parameters)}`, signal);
    return { values: named(groups), more: groups.at(-1)?.other ?? false };
  }
  parameters.set("of", part);
  parameters.set("limit", MOST);
  if (prefix) parameters.set("prefix", prefix);
  return responses.get(`/usage/attributions${queryText(parameters)}`, signal);
}

/**
 * The values that contain `text`, those with the most credits first. If there are too many to read
 * them all, values beyond these are found by their first characters, and `isCut` is true. Reports
 * are all searched.
 */
export async function valuesLike(view, part, text, signal) {
  const { values, more } = await read(view, part, "", signal);
  const searched = text.toLowerCase();
  const matching = (all) => all.filter(({ value }) => value.toLowerCase().includes(searched));
  const found = matching(values);
  if (!more || !text) return { values: found, isCut: more };
  const beyond = await read(view, part, text, signal);
  if (part === "report_name") return { values: matching(beyond.values), isCut: false };
  const known = new Set(found.map(({ value }) => value));
  return {
    values: [...found, ...beyond.values.filter(({ value }) => !known.has(value))],
    isCut: true,
  };
}
