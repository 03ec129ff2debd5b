// Dates and ranges of dates. The service decides when a date starts in a zone.

/** The date of a time in a zone; today if there is no time. */
export function dateIn(zone, moment = new Date()) {
  const parts = new Intl.DateTimeFormat("en", {
    timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit",
  }).formatToParts(moment);
  const part = (type) => parts.find((each) => each.type === type).value;
  return `${part("year").padStart(4, "0")}-${part("month")}-${part("day")}`;
}

export function addDays(date, days) {
  const moved = new Date(`${date}T00:00:00Z`);
  moved.setUTCDate(moved.getUTCDate() + days);
  return moved.toISOString().slice(0, 10);
}

function firstOfMonth(date, months = 0) {
  const moved = new Date(`${date.slice(0, 7)}-01T00:00:00Z`);
  moved.setUTCMonth(moved.getUTCMonth() + months);
  return moved.toISOString().slice(0, 10);
}

/** The preset ranges: a name, and a function of today's date; `to` is exclusive. */
export const PRESETS = [
  ["All time", () => [null, null]],
  ["Today", (day) => [day, addDays(day, 1)]],
  ["Yesterday", (day) => [addDays(day, -1), day]],
  ["Last 7 days", (day) => [addDays(day, -6), addDays(day, 1)]],
  ["Last 30 days", (day) => [addDays(day, -29), addDays(day, 1)]],
  ["This month", (day) => [firstOfMonth(day), firstOfMonth(day, 1)]],
  ["Last month", (day) => [firstOfMonth(day, -1), firstOfMonth(day)]],
  ["This year", (day) => [`${day.slice(0, 4)}-01-01`, `${Number(day.slice(0, 4)) + 1}-01-01`]],
  ["Last 12 months", (day) => [firstOfMonth(day, -11), firstOfMonth(day, 1)]],
];

/** The index of the preset that equals a view's range, or -1. */
export function presetOf(view) {
  const day = dateIn(view.tz);
  return PRESETS.findIndex(([, range]) => {
    const [from, to] = range(day);
    return from === view.from && to === view.to;
  });
}

const isDate = (time) => time.length === 10;

/** The first and the last day of a view's range, both inclusive, for the date fields. */
export function daysOf({ from, to, tz }) {
  return [
    !from ? "" : isDate(from) ? from : dateIn(tz, new Date(from)),
    !to ? "" : isDate(to) ? addDays(to, -1) : dateIn(tz, new Date(Date.parse(to) - 1)),
  ];
}
