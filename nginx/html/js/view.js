// What is shown, and its one home: the address. Whatever else the page knows comes from here.

export const COLUMNS = ["report_name", "credits_used"];
export const GRANULARITIES = ["hour", "day", "week", "month"];

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$/;
/** As much of a text in the address as a sentence about it repeats. */
const REPEATED = 60;
const SINGLE = ["from", "to", "tz", "has_report", "granularity", "sort"];

/** The view of an address without parameters: everything, in UTC, as the API gives it. */
export function emptyView() {
  return {
    from: null, to: null, tz: "UTC", reports: [], hasReport: null, granularity: null, sort: [],
  };
}

/** Whether a view is one of some reports only, or of none. */
export const isFiltered = ({ reports, hasReport }) => reports.length > 0 || hasReport !== null;

/** Whether a view leaves no record out. */
export const isEverything = (view) => !view.from && !view.to && !isFiltered(view);

/** What browsers and systems report if they could not detect the time zone. */
const NO_ZONES = ["Etc/Unknown", "Factory"];

/** The service's spelling of a zone's name, in any case; null if there is no such zone. */
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
  // 30 February is no date, though Date would take it for the second of March.
  return !isNaN(date) && date.toISOString().startsWith(text.slice(0, 10)) && !isNaN(new Date(text));
}

const repeated = (text) => (text.length > REPEATED ? `${text.slice(0, REPEATED)}…` : text);

/** The valid terms; `fault` is called for each of the others. */
function readSort(text, fault) {
  const terms = [];
  for (const part of text.split(",")) {
    const [column, direction = "asc", ...rest] = part.split(":");
    const isKnown = COLUMNS.includes(column) && ["asc", "desc"].includes(direction);
    if (!isKnown || rest.length > 0) {
      fault(`“${repeated(part)}” is not a valid sort `
        + `(use ${COLUMNS.join(" or ")}, then :asc or :desc). Ignored.`);
    } else if (terms.some((term) => term.column === column)) {
      fault(`The sort names ${column} twice. Using the first.`);
    } else {
      terms.push({ column, direction });
    }
  }
  return terms;
}

/** The view that an address describes, and a sentence for each invalid part of it. */
export function readView(search) {
  const parameters = new URLSearchParams(search);
  const view = emptyView();
  const faults = [];
  const fault = (sentence) => faults.push(sentence);

  for (const name of new Set(parameters.keys())) {
    if (name !== "report_name" && !SINGLE.includes(name)) {
      fault(`Unknown parameter “${repeated(name)}” in the address. Ignored.`);
    } else if (SINGLE.includes(name) && parameters.getAll(name).length > 1) {
      fault(`The address has “${name}” more than once. Using the first.`);
    }
  }
  const take = (name, isRight, assign, what, instead) => {
    const text = parameters.get(name);
    if (text === null) return;
    if (isRight(text)) assign(text);
    else fault(`“${repeated(text)}” is not a ${what}. Showing ${instead}.`);
  };

  take("from", isTime, (text) => { view.from = text; },
    "valid start date (write it as 2024-01-31)", "from the first record");
  take("to", isTime, (text) => { view.to = text; },
    "valid end date (write it as 2024-01-31)", "up to the last record");
  // Only the service knows when a date begins, so a date and a time are not compared here.
  const areAlike = view.from && view.to && DATE.test(view.from) === DATE.test(view.to);
  if (areAlike && new Date(view.from) > new Date(view.to)) {
    fault(`The start ${view.from} is after the end ${view.to}. Showing all time.`);
    view.from = view.to = null;
  }
  take("tz", zoneNamed, (text) => { view.tz = zoneNamed(text); },
    "known time zone (one is Europe/London)", "UTC");
  take("has_report", (text) => ["true", "false"].includes(text),
    (text) => { view.hasReport = text === "true"; },
    "valid has_report (use true or false)", "all messages");
  take("granularity", (text) => GRANULARITIES.includes(text),
    (text) => { view.granularity = text; },
    "valid granularity (use hour, day, week or month)", "the one that fits");
  const sort = parameters.get("sort");
  if (sort !== null) view.sort = readSort(sort, fault);
  view.reports = [...new Set(parameters.getAll("report_name"))].filter((name) => {
    if (name === "") fault("The address has an empty report_name. Ignored.");
    return name !== "";
  });
  return { view, faults };
}

/** The parameters that choose records; the API and the page's address have the same names. */
export function filterOf({ from, to, tz, reports, hasReport }) {
  const parameters = new URLSearchParams();
  if (from) parameters.set("from", from);
  if (to) parameters.set("to", to);
  if (tz !== "UTC") parameters.set("tz", tz);
  for (const name of reports) parameters.append("report_name", name);
  if (hasReport !== null) parameters.set("has_report", hasReport);
  return parameters;
}

/** The parameters that choose records and their order. */
export function recordsOf(view) {
  const parameters = filterOf(view);
  const sort = view.sort.map(({ column, direction }) => `${column}:${direction}`).join(",");
  if (sort) parameters.set("sort", sort);
  return parameters;
}

/** A query that people can read: what needs no escape in a query gets none. */
export function queryText(parameters) {
  const text = parameters.toString();
  return text && `?${text.replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/")}`;
}

/** The address's query for a view; the inverse of `readView`. */
export function searchOf(view) {
  const parameters = recordsOf(view);
  if (view.granularity) parameters.set("granularity", view.granularity);
  return queryText(parameters);
}
