// Sums of a view: for the cards, the chart and the list of reports.

import { ResponseCache } from "../shared/api.js";
import { filterOf, isFiltered, queryText } from "../view/view.js";

/** Up to this length, the default is hours; otherwise, the service chooses the granularity. */
const SHORT_MILLISECONDS = 3 * 86_400_000;

const responses = new ResponseCache();

export const forgetResponses = () => responses.clear();

function isShort({ from, to }) {
  const length = new Date(to) - new Date(from);
  return length > 0 && length <= SHORT_MILLISECONDS;
}

function read(view, granularity, signal) {
  const parameters = filterOf(view);
  if (granularity) parameters.set("granularity", granularity);
  return responses.get(`/usage/summary${queryText(parameters)}`, signal);
}

/** The summary by the default granularity; if the range is open, its response tells the length. */
async function readDefault(view, signal) {
  if (view.from && view.to) return read(view, isShort(view) ? "hour" : null, signal);
  const summary = await read(view, null, signal);
  return isShort(summary) ? read(view, "hour", signal) : summary;
}

/** The summary by the view's granularity; by default, with the reason, if the service refuses. */
async function readChosen(view, signal) {
  if (!view.granularity) return { summary: await readDefault(view, signal), refusal: null };
  try {
    return { summary: await read(view, view.granularity, signal), refusal: null };
  } catch (error) {
    if (!error.errors?.some((each) => each.code === "too_many_buckets")) throw error;
    return { summary: await readDefault(view, signal), refusal: error.message };
  }
}

/**
 * The summary of a view, and the reports in its range, also those that the view leaves out.
 * `refusal` says why the service did not use the view's granularity; null if it did.
 */
export async function summariesOf(view, signal) {
  const everyReport = { ...view, reports: [], hasReport: null };
  const [{ summary, refusal }, all] = await Promise.all([
    readChosen(view, signal),
    isFiltered(view) ? read(everyReport, "total", signal) : null,
  ]);
  return { summary, reports: (all ?? summary).by_report, refusal };
}
