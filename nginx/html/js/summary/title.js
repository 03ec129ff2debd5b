// The title of the document, and the lines on paper that say what was chosen.

import { element } from "../shared/dom.js";
import { counted, periodText } from "../shared/format.js";
import { filterText, partName } from "../view/parts.js";
import { UNGROUPED } from "../view/view.js";

const NAME = "Orbital Usage";
/** The filters that a title names; all others are counted. */
const NAMED = 2;

/** Names the view in the title, and describes it on paper. */
export function showTitle(summary, view) {
  const filters = view.filters.map(filterText);
  const period = summary.from ? periodText(summary) : "No records";
  const grouping = view.groupBy === UNGROUPED ? ""
    : ` by ${partName(view.groupBy).toLowerCase()}`;
  const more = filters.length - NAMED;
  const what = [`Credits${grouping}`, period, ...filters.slice(0, NAMED),
    ...(more > 0 ? [counted(more, "more filter")] : [])];
  document.title = view.message ? `Message ${view.message} – ${NAME}`
    : `${what.join(", ")} – ${NAME}`;
  const { granularity } = summary;
  element("chosen").textContent = [
    `${granularity === "total" ? "In total" : `Per ${granularity}`}${grouping}`,
    `time zone ${view.tz}`, ...(filters.length > 0 ? filters : ["no filters"]),
  ].join("; ");
  element("chosen-link").textContent = location.href;
}
