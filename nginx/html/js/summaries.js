// Sums of a view: for the cards, the chart and the list of reports.

import { ResponseCache } from "./api.js";
import { filterOf, GRANULARITIES, isFiltered, queryText } from "./view.js";

const HOUR = 3_600_000;
const SIZES = { hour: HOUR, day: 24 * HOUR, week: 168 * HOUR, month: 30.4 * 24 * HOUR };
/** What the service allows; GET /usage/summary. */
const LIMITS = { hour: 744, day: 366, week: 260, month: 120 };
const ORDER = [...GRANULARITIES, "total"];

const responses = new ResponseCache();

export const forgetResponses = () => responses.clear();

function address(view, granularity) {
  const parameters = filterOf(view);
  parameters.set("granularity", granularity);
  return `/usage/summary${queryText(parameters)}`;
}

/** Whether a range of `milliseconds` has few enough buckets. */
export function fits(granularity, milliseconds) {
  return granularity === "total"
    || Math.floor(milliseconds / SIZES[granularity]) <= LIMITS[granularity];
}

/** Hours up to three days, else days or the next granularity with few enough buckets. */
function suited(milliseconds) {
  if (milliseconds > 0 && milliseconds <= 3 * SIZES.day) return "hour";
  return ORDER.slice(1).find((granularity) => fits(granularity, milliseconds));
}

function unfit(wanted, used, milliseconds) {
  const number = Math.ceil(milliseconds / SIZES[wanted]).toLocaleString("en-GB");
  return `${number} bars are too many to show each ${wanted} (at most ${LIMITS[wanted]}). `
    + `Showing ${used === "total" ? "one total" : `${used}s`}.`;
}

/** The filter of the last request, and the length of its range. */
let last = { filter: null, length: 0 };

const lengthOf = ({ from, to }) => (from ? new Date(to) - new Date(from) : 0);

/** The length of a view's range; that of its records where an end is open. */
async function findLength(view, signal) {
  if (view.from && view.to) return lengthOf(view);
  if (last.filter === filterOf(view).toString()) return last.length;
  return lengthOf(await responses.get(address(view, "total"), signal));
}

/**
 * The summary of a view and, where it is filtered by report, that of all reports in its range.
 * `notice` is set if another granularity is used than the one that the view names.
 */
export async function summariesOf(view, signal) {
  const length = await findLength(view, signal);
  const wanted = view.granularity;
  let granularity = wanted && fits(wanted, length) ? wanted : suited(length);
  const everyReport = { ...view, reports: [], hasReport: null };
  for (;;) {
    try {
      const [summary, all] = await Promise.all([
        responses.get(address(view, granularity), signal),
        isFiltered(view) ? responses.get(address(everyReport, "total"), signal) : null,
      ]);
      last = { filter: filterOf(view).toString(), length: lengthOf(summary) };
      const notice = wanted && granularity !== wanted ? unfit(wanted, granularity, length) : null;
      return { summary, reports: (all ?? summary).by_report, length, notice };
    } catch (error) {
      // The length is an estimate: a day may have 23 hours, or a record has just arrived.
      if (!error.errors?.some((each) => each.code === "too_many_buckets")) throw error;
      granularity = ORDER[ORDER.indexOf(granularity) + 1];
    }
  }
}
