// Sums of a view: for the cards, the chart and the list of groups.

import { isAbort, ResponseCache } from "../shared/api.js";
import { records } from "../shared/format.js";
import { MOST_GROUPS } from "../view/colours.js";
import { valuesIn } from "../view/groups.js";
import { withoutPart } from "../view/parts.js";
import { periodBefore } from "../view/range.js";
import { filterOf, queryText, UNGROUPED } from "../view/view.js";

/** Up to this length, the default is hours; otherwise, the service chooses the granularity. */
const SHORT_MILLISECONDS = 3 * 86_400_000;

const responses = new ResponseCache();

export const forgetResponses = () => responses.clear();

function isShort({ from, to }) {
  const length = new Date(to) - new Date(from);
  return length > 0 && length <= SHORT_MILLISECONDS;
}

function read(view, granularity, signal, top = MOST_GROUPS) {
  const parameters = filterOf(view);
  // Reports are counted where nothing is grouped.
  const isGrouped = view.groupBy !== UNGROUPED;
  parameters.set("group_by", isGrouped ? view.groupBy : "report_name");
  parameters.set("top", isGrouped ? top : 1);
  if (granularity) parameters.set("granularity", granularity);
  return responses.get(`/usage/summary${queryText(parameters)}`, signal);
}

/** The summary by the default granularity; if the range is open, its response tells the length. */
async function readDefault(view, signal) {
  if (view.from && view.to) return read(view, isShort(view) ? "hour" : null, signal);
  const summary = await read(view, null, signal);
  return isShort(summary) ? read(view, "hour", signal) : summary;
}

/**
 * The summary of a view. `refusal` says why the service did not use the view's granularity; null
 * if it did.
 */
export async function summaryOf(view, signal) {
  if (!view.granularity) return { summary: await readDefault(view, signal), refusal: null };
  try {
    return { summary: await read(view, view.granularity, signal), refusal: null };
  } catch (error) {
    if (!error.errors?.some((each) => each.code === "too_many_buckets")) throw error;
    return { summary: await readDefault(view, signal), refusal: error.message };
  }
}

/** The sums of the period before, or null if the range has no start. */
async function previousOf(view, summary, signal) {
  if (!view.from || !summary.from) return null;
  const to = view.to ?? summary.to.slice(0, 10);
  // Only the service knows when a date starts.
  const isDates = view.from.length === 10 && to.length === 10;
  const { from, to: end } = isDates ? { from: view.from, to } : summary;
  const period = periodBefore({ ...view, from, to: end });
  const previous = await read({ ...view, ...period }, "total", signal, 1);
  return { summary: previous, isPart: period.isPart };
}

/** The number of values of the grouping, where a second request has to tell it. */
async function countOf(view, summary, signal) {
  const number = valuesIn(summary);
  if (number !== null) return number;
  const [part] = summary.group_by;
  const others = withoutPart(view.filters, part);
  const isFiltered = others.length < view.filters.length;
  const without = isFiltered ? null
    : await read({ ...view, filters: [...others, [part, ""]] }, "total", signal, 1);
  const all = summary.groups.reduce((sum, { groups = 1 }) => sum + groups, 0);
  return all - (without && records(without.totals) > 0 ? 1 : 0);
}

/**
 * The sums of the period before (null if there are none), and the number of users or whatever the
 * view is grouped by (null if it is not known).
 */
export async function comparisonOf(view, summary, signal) {
  // Without them, the page still shows the sums of the view.
  const orNothing = (error) => {
    if (isAbort(error)) throw error;
    return null;
  };
  const [previous, number] = await Promise.all([
    previousOf(view, summary, signal).catch(orNothing),
    countOf(view, summary, signal).catch(orNothing),
  ]);
  return { previous, number };
}
