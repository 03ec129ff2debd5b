// The view: which records are shown, and how. It is stored in the page's address only.

const COLUMNS = ["report_name", "credits_used"];
export const GRANULARITIES = ["hour", "day", "week", "month"];

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$/;
/** The most characters of the address that a notice quotes. */
const QUOTED = 60;
const SINGLE = ["from", "to", "tz", "has_report", "granularity", "sort"];

/** The view of an address without parameters: all records, in UTC. */
export function emptyView() {
  return {
    from: null, to: null, tz: "UTC", reports: [], hasReport: null, granularity: null, sort: [],
  };
}

/** Whether a view is filtered by report. */
export const isFiltered = ({ reports, hasReport }) => reports.length > 0 || hasReport !== null;

/** Whether a view has no filter. */
export const isEverything = (view) => !view.from && !view.to && !isFiltered(view);

/** The names that browsers and systems report if they cannot detect the time zone. */
const NO_ZONES = ["Etc/Unknown", "Factory"];

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

/** The valid terms; `fault` is called for each of the others. */
function readSort(text, fault) {
  const terms = [];
  for (const part of text.split(",")) {
    const [column, direction = "asc", ...rest] = part.split(":");
    const isKnown = COLUMNS.includes(column) && ["asc", "desc"].includes(direction);
    if (!isKnown || rest.length > 0) {
      fault(`${quoted(part)} is not a valid sort `
        + `(use ${COLUMNS.join(" or ")}, then :asc or :desc). Ignored.`);
    } else if (terms.some((term) => term.column === column)) {
      fault(`The address sorts by ${column} twice. Using the first.`);
    } else {
      terms.push({ column, direction });
    }
  }
  return terms;
}

/** The view of an address, and a sentence for each invalid part of the address. */
export function readView(search) {
  const parameters = new URLSearchParams(search);
  const view = emptyView();
  const faults = [];
  const fault = (sentence) => faults.push(sentence);

  for (const name of new Set(parameters.keys())) {
    if (name !== "report_name" && !SINGLE.includes(name)) {
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
  take("tz", zoneNamed, (text) => { view.tz = zoneNamed(text); },
    "known time zone (example: Europe/London)", "UTC");
  take("has_report", (text) => ["true", "false"].includes(text),
    (text) => { view.hasReport = text === "true"; },
    "valid has_report (use true or false)", "all messages");
  take("granularity", (text) => GRANULARITIES.includes(text),
    (text) => { view.granularity = text; },
    "valid granularity (use hour, day, week or month)", "the default");
  const sort = parameters.get("sort");
  if (sort !== null) view.sort = readSort(sort, fault);
  view.reports = [...new Set(parameters.getAll("report_name"))].filter((name) => {
    if (name === "") fault("The address has an empty report_name. Ignored.");
    return name !== "";
  });
  return { view, faults };
}

/** The parameters that filter records; the API and the page's address use the same names. */
export function filterOf({ from, to, tz, reports, hasReport }) {
  const parameters = new URLSearchParams();
  if (from) parameters.set("from", from);
  if (to) parameters.set("to", to);
  if (tz !== "UTC") parameters.set("tz", tz);
  for (const name of reports) parameters.append("report_name", name);
  if (hasReport !== null) parameters.set("has_report", hasReport);
  return parameters;
}

/** The parameters that filter and sort records. */
export function recordsOf(view) {
  const parameters = filterOf(view);
  const sort = view.sort.map(({ column, direction }) => `${column}:${direction}`).join(",");
  if (sort) parameters.set("sort", sort);
  return parameters;
}

/** A query in which only those characters are escaped that must be. */
export function queryText(parameters) {
  const text = parameters.toString();
  return text && `?${text.replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/")}`;
}

/** The query of the page's address for a view; the inverse of `readView`. */
export function searchOf(view) {
  const parameters = recordsOf(view);
  if (view.granularity) parameters.set("granularity", view.granularity);
  return queryText(parameters);
}

/** The changes that add or remove a report of the filter; null means messages without one. */
export function withReport({ reports, hasReport }, name) {
  if (name === null) return { reports: [], hasReport: hasReport === false ? null : false };
  const chosen = reports.includes(name) ? reports.filter((each) => each !== name)
    : [...reports, name];
  return { reports: chosen, hasReport: null };
}

const isMidnight = (time) => /^T00:00:00[Z+-]/.test(time.slice(10));

/** The changes that zoom into some buckets: dates if the buckets are whole days, else times. */
export function zoomed({ buckets, granularity }, first, last) {
  const asDate = (time, date) => (granularity !== "hour" && isMidnight(time) ? date : time);
  const { start, date } = buckets[first];
  const { end } = buckets[last];
  return { from: asDate(start, date), to: asDate(end, end.slice(0, 10)), granularity: null };
}
