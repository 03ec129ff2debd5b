// The title of the document, and the lines on paper that say what was chosen.

import { element } from "../shared/dom.js";
import { counted, periodText } from "../shared/format.js";
import { filterText, partName } from "../view/parts.js";
import { UNGROUPED } from "../view/view.js";

const NAME = "Orbital Usage";
/** The filters that a title names; all others are counted. */
const NAMED = 2;

/** What the title is until a view is there. */
export const forgetTitle = () => { document.title = NAME; };

/**
 * Names the view in the title, and describes it on paper. `owner` says whose usage a bound key
 * shows; it may be empty.
 */
export function showTitle(summary, view, owner) {
  const filters = view.filters.map(filterText);
  const period = summary.from ? periodText(summary) : "No records";
  const grouping = view.groupBy === UNGROUPED ? ""
    : ` by ${partName(view.groupBy).toLowerCase()}`;
  const more = filters.length - NAMED;
  const what = [`Credits${grouping}`, period, ...filters.slice(0, NAMED),
    ...(more > 0 ? [counted(more, "more filter")] : [])];
  const title = view.message ? `Message ${view.message}` : what.join(", ");
  document.title = [title, ...(owner ? [owner] : []), NAME].join(" – ");
  const { granularity } = summary;
  element("chosen").textContent = [
    `${granularity === "total" ? "In total" : `Per ${granularity}`}${grouping}`,
    `time zone ${view.tz}`, ...(filters.length > 0 ? filters : ["no filters"]),
  ].join("; ");
  element("chosen-link").textContent = location.href;
}
