// The view: which records are shown, and how. It is stored in the page's address only.

import { defaultFields, NEWEST_FIRST, readFields, SORTABLE } from "./fields.js";
import { hasFilter, isPart, isTag, parameterOf, PARTS, toggled } from "./parts.js";
import { boundsOf, PRESETS, RECENT } from "./range.js";

export const GRANULARITIES = ["hour", "day", "week", "month"];
/** The grouping of a view that is not grouped. */
export const UNGROUPED = "none";

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$/;
/** The most characters of the address that a notice quotes. */
const QUOTED = 60;
const SINGLE = [
  "range", "from", "to", "tz", "has_report", "group_by", "granularity", "sort", "fields", "message",
  "hide_other",
];
const REPEATED = [...PARTS, "tag", "hide"];
/** The sum of the groups that the service left out, among the hidden groups. */
export const OTHER = null;

/**
 * The view of an address without parameters. `null` is what `resolved` replaces: the latest 30
 * days that have records, the first reporting zone, users or reports, and the usual columns. A
 * filter is a part and a value. `hidden` has the values of the groups that the chart does not
 * show, and `OTHER`. `message` is the id of the message whose receipt is open. `outer` has the
 * ranges from which the user zoomed in; it is not part of the address.
 */
export function emptyView() {
  return {
    range: null, from: null, to: null, tz: null, filters: [], groupBy: null, granularity: null,
    hidden: [], sort: [], fields: null, message: null, outer: null,
  };
}

/** A view with its bounds, zone, grouping and columns, by what `discover` found. */
export function resolved(view, { zones, newest, used, grouping }) {
  const tz = view.tz ?? zones[0];
  const [from, to] = view.from || view.to
    ? [view.from, view.to] : boundsOf(view.range ?? RECENT, tz, newest);
  const fields = view.fields ?? defaultFields(used);
  return { ...view, from, to, tz, groupBy: view.groupBy ?? grouping, fields };
}

/** Whether a resolved view has all records. */
export const isEverything = (view) => !view.from && !view.to && view.filters.length === 0;

/** The names that browsers and systems report if they cannot detect the time zone. */
export const NO_ZONES = ["Etc/Unknown", "Factory"];

/** The service's spelling of a zone's name; `name` may have any case. Null if it is unknown. */
export function zoneNamed(name) {
  try {
    const { timeZone } = new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions();
    if (!/^[A-Za-z]/.test(name) || NO_ZONES.includes(timeZone)) return null;
    return timeZone.toLowerCase() === name.toLowerCase() ? timeZone : name;
  } catch {
    return null;
  }
}

function isTime(text) {
  if (!DATE.test(text) && !INSTANT.test(text)) return false;
  const date = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  // Date accepts 30 February as 1 or 2 March.
  return !isNaN(date) && date.toISOString().startsWith(text.slice(0, 10)) && !isNaN(new Date(text));
}

const quoted = (text) => `“${text.length > QUOTED ? `${text.slice(0, QUOTED)}…` : text}”`;

const sortText = (sort) => sort.map(({ column, direction }) => `${column}:${direction}`).join(",");

/** Whether a text can be a `message_id` or an `external_id`. */
const isId = (text) => /^[^\p{Cc}]{1,255}$/u.test(text);

/** The valid terms; `fault` is called for each of the others. */
function readSort(text, fault) {
  const terms = [];
  for (const part of text.split(",")) {
    const [column, direction = "asc", ...rest] = part.split(":");
    const isKnown = SORTABLE.includes(column) && ["asc", "desc"].includes(direction);
    if (!isKnown || rest.length > 0) {
      fault(`${quoted(part)} is not a valid sort `
        + `(use ${SORTABLE.join(", ")}, then :asc or :desc). Ignored.`);
    } else if (terms.some((term) => term.column === column)) {
      fault(`The address sorts by ${column} twice. Using the first.`);
    } else {
      terms.push({ column, direction });
    }
  }
  return sortText(terms) === sortText(NEWEST_FIRST) ? [] : terms;
}

/** The filters of an address; `fault` is called with a sentence for each invalid one. */
function readFilters(parameters, fault) {
  let filters = [];
  const add = (filter) => {
    if (!hasFilter(filters, filter)) filters = toggled(filters, filter);
  };
  const hasReport = parameters.get("has_report");
  if (["true", "false"].includes(hasReport)) {
    add(hasReport === "true" ? ["has_report", hasReport] : ["report_name", ""]);
  } else if (hasReport !== null) {
    fault(`${quoted(hasReport)} is not a valid has_report (use true or false). Ignored.`);
  }
  for (const part of PARTS) {
    for (const value of parameters.getAll(part)) {
      if (part === "report_name" && value === "") {
        fault("The address has an empty report_name. Ignored.");
      } else add([part, value]);
    }
  }
  for (const text of parameters.getAll("tag")) {
    const [key, ...value] = text.split(":");
    if (isTag(`tag:${key}`) && value.length > 0) add([`tag:${key}`, value.join(":")]);
    else fault(`${quoted(text)} is not a valid tag (write it as key:value). Ignored.`);
  }
  return filters;
}

/** The view of an address, and a sentence for each invalid part of the address. */
export function readView(search, outer = null) {
  const parameters = new URLSearchParams(search);
  const view = { ...emptyView(), outer };
  const faults = [];
  const fault = (sentence) => faults.push(sentence);

  for (const name of new Set(parameters.keys())) {
    if (!REPEATED.includes(name) && !SINGLE.includes(name)) {
      fault(`Unknown parameter ${quoted(name)} in the address. Ignored.`);
    } else if (SINGLE.includes(name) && parameters.getAll(name).length > 1) {
      fault(`The address has “${name}” more than once. Using the first.`);
    }
  }
  const take = (name, isValid, assign, what, instead) => {
    const text = parameters.get(name);
    if (text === null) return;
    if (isValid(text)) assign(text);
    else fault(`${quoted(text)} is not a ${what}. Showing ${instead}.`);
  };

  take("range", (text) => Object.hasOwn(PRESETS, text),
    (text) => { view.range = text === RECENT ? null : text; },
    `valid range (use ${Object.keys(PRESETS).join(", ")})`, "the latest 30 days");
  take("from", isTime, (text) => { view.from = text; },
    "valid start date (write it as 2024-01-31)", "from the first record");
  take("to", isTime, (text) => { view.to = text; },
    "valid end date (write it as 2024-01-31)", "up to the last record");
  // Only the service knows when a date starts, so a date and a time are not compared here.
  const areComparable = view.from && view.to && DATE.test(view.from) === DATE.test(view.to);
  if (areComparable && new Date(view.from) > new Date(view.to)) {
    fault(`The start ${view.from} is after the end ${view.to}. Showing all time.`);
    view.from = view.to = null;
  }
  if (view.from || view.to) view.range = null;
  // A bound that was given, but cannot be used, must not become another range.
  else if (parameters.has("from") || parameters.has("to")) view.range ??= "all";
  take("tz", zoneNamed, (text) => { view.tz = zoneNamed(text); },
    "known time zone (example: Europe/London)", "the first reporting zone");
  take("group_by", (text) => text === UNGROUPED || isPart(text),
    (text) => { view.groupBy = text; },
    `valid group_by (use ${[UNGROUPED, ...PARTS].join(", ")} or tag:KEY)`, "the default");
  take("granularity", (text) => GRANULARITIES.includes(text),
    (text) => { view.granularity = text; },
    "valid granularity (use hour, day, week or month)", "the default");
  const sort = parameters.get("sort");
  if (sort !== null) view.sort = readSort(sort, fault);
  const fields = parameters.get("fields");
  if (fields !== null) {
    view.fields = readFields(fields, (name) => fault(`${quoted(name)} is not a field of a record. `
      + "Ignored."));
  }
  take("message", isId, (text) => { view.message = text; },
    "valid message (use its message_id or external_id)", "no receipt");
  view.filters = readFilters(parameters, fault);
  view.hidden = [...new Set(parameters.getAll("hide"))];
  take("hide_other", (text) => text === "true", () => { view.hidden.push(OTHER); },
    "valid hide_other (use true)", "the other groups");
  return { view, faults };
}

function filterParameters({ from, to, tz, filters }) {
  const parameters = new URLSearchParams();
  if (from) parameters.set("from", from);
  if (to) parameters.set("to", to);
  if (tz) parameters.set("tz", tz);
  for (const filter of filters) parameters.append(...parameterOf(filter));
  return parameters;
}

/** The parameters of the API that filter the records of a resolved view. */
export function filterOf(view) {
  const parameters = filterParameters(view);
  if (view.tz === "UTC") parameters.delete("tz");
  return parameters;
}

/** The order of a view's table. */
export const sortOf = ({ sort }) => (sort.length > 0 ? sort : NEWEST_FIRST);

/** The parameters of the API that select, filter and sort the records of a resolved view. */
export function recordsOf(view) {
  const parameters = filterOf(view);
  // Of records, the zone only concerns bounds that are dates.
  if (![view.from, view.to].some((bound) => DATE.test(bound ?? ""))) parameters.delete("tz");
  parameters.set("sort", sortText(sortOf(view)));
  parameters.set("fields", view.fields.join(","));
  return parameters;
}

/** A query in which only those characters are escaped that must be. */
export function queryText(parameters) {
  const text = parameters.toString();
  return text && `?${text.replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/")}`;
}

/** The query of the page's address for a view that is not resolved; the inverse of `readView`. */
export function searchOf(view) {
  const parameters = filterParameters(view);
  if (view.range) parameters.set("range", view.range);
  if (view.groupBy) parameters.set("group_by", view.groupBy);
  if (view.granularity) parameters.set("granularity", view.granularity);
  for (const value of view.hidden) {
    if (value === OTHER) parameters.set("hide_other", "true");
    else parameters.append("hide", value);
  }
  if (view.sort.length > 0) parameters.set("sort", sortText(view.sort));
  if (view.fields) parameters.set("fields", view.fields.join(","));
  if (view.message) parameters.set("message", view.message);
  return queryText(parameters);
}

/** The changes that show dates; without any, all time. */
export const between = (from, to) => ({ range: from || to ? null : "all", from, to, outer: null });

const isMidnight = (time) => /^T00:00:00[Z+-]/.test(time.slice(10));

/** The changes that zoom into some buckets: dates if the buckets are whole days, else times. */
export function zoomed(view, { buckets, granularity }, first, last) {
  const asDate = (time, date) => (granularity !== "hour" && isMidnight(time) ? date : time);
  const { start, date } = buckets[first];
  const { end } = buckets[last];
  const { range, from, to, granularity: chosen, outer } = view;
  return {
    ...between(asDate(start, date), asDate(end, end.slice(0, 10))), granularity: null,
    outer: { range, from, to, granularity: chosen, outer },
  };
}
