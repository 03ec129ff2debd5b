// Dates and ranges of dates. The service decides when a date starts in a zone.

const DAY_MILLISECONDS = 86_400_000;

/** The date and the time of day in a zone, as texts. */
function localIn(zone, moment) {
  const parts = new Intl.DateTimeFormat("en", {
    timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
  }).formatToParts(moment);
  const part = (type) => parts.find((each) => each.type === type).value;
  return {
    date: `${part("year").padStart(4, "0")}-${part("month")}-${part("day")}`,
    time: `${part("hour")}:${part("minute")}:${part("second")}`,
  };
}

/** The date of a time in a zone; today if there is no time. */
export const dateIn = (zone, moment = new Date()) => localIn(zone, moment).date;

const midnight = (date) => new Date(`${date}T00:00:00Z`);

export function addDays(date, days) {
  const moved = midnight(date);
  moved.setUTCDate(moved.getUTCDate() + days);
  return moved.toISOString().slice(0, 10);
}

function firstOfMonth(date, months = 0) {
  const moved = midnight(`${date.slice(0, 7)}-01`);
  moved.setUTCMonth(moved.getUTCMonth() + months);
  return moved.toISOString().slice(0, 10);
}

/** The name in the address of the range without a name: it ends with the newest record. */
export const RECENT = "recent";

/** The preset ranges by name: a label, and a function of today's date; `to` is exclusive. */
export const PRESETS = {
  "today": ["Today", (day) => [day, addDays(day, 1)]],
  "yesterday": ["Yesterday", (day) => [addDays(day, -1), day]],
  "7d": ["Last 7 days", (day) => [addDays(day, -6), addDays(day, 1)]],
  "30d": ["Last 30 days", (day) => [addDays(day, -29), addDays(day, 1)]],
  "month": ["This month", (day) => [firstOfMonth(day), firstOfMonth(day, 1)]],
  "last-month": ["Last month", (day) => [firstOfMonth(day, -1), firstOfMonth(day)]],
  "year": [
    "This year", (day) => [`${day.slice(0, 4)}-01-01`, `${Number(day.slice(0, 4)) + 1}-01-01`],
  ],
  "12m": ["Last 12 months", (day) => [firstOfMonth(day, -11), firstOfMonth(day, 1)]],
  [RECENT]: ["Latest 30 days with records", () => [null, null]],
  "all": ["All time", () => [null, null]],
};

/** The bounds of a range by its name; `newest` is the time of the newest record or null. */
export function boundsOf(range, zone, newest) {
  // Without an end, new records of the next day are shown, too.
  if (range === RECENT) return [newest && addDays(dateIn(zone, new Date(newest)), -29), null];
  return PRESETS[range][1](dateIn(zone));
}

const isDate = (time) => time.length === 10;

/** The first and the last day of a period, both inclusive, for the date fields. */
export function daysOf({ from, to, tz }) {
  return [
    !from ? "" : isDate(from) ? from : dateIn(tz, new Date(from)),
    !to ? "" : isDate(to) ? addDays(to, -1) : dateIn(tz, new Date(Date.parse(to) - 1)),
  ];
}

/**
 * The dates around a period: whole days around times, whole months around days, whole years around
 * months, all time around years. Shows more of a period whose surroundings are not known.
 */
export function around({ from, to, tz }) {
  if (!from || !to) return [null, null];
  const [first, last] = daysOf({ from, to, tz });
  if (!isDate(from) || !isDate(to)) return [first, addDays(last, 1)];
  const months = [firstOfMonth(first), firstOfMonth(last, 1)];
  if (months[0] !== from || months[1] !== to) return months;
  const years = [`${first.slice(0, 4)}-01-01`, firstOfMonth(`${last.slice(0, 4)}-12-01`, 1)];
  return years[0] !== from || years[1] !== to ? years : [null, null];
}

/** The instant of a local date and time; by the offset before, if clocks skip that time. */
function instantOf({ date, time }, zone) {
  const local = Date.parse(`${date}T${time}Z`);
  const offsetAt = (instant) => {
    const there = localIn(zone, new Date(instant));
    return Date.parse(`${there.date}T${there.time}Z`) - instant;
  };
  return new Date(local - offsetAt(local - offsetAt(local)));
}

function startBefore(from, to) {
  if (!from.endsWith("-01") || !to.endsWith("-01")) {
    return addDays(from, (midnight(from) - midnight(to)) / DAY_MILLISECONDS);
  }
  const months = (date) => Number(date.slice(0, 4)) * 12 + Number(date.slice(5, 7));
  return firstOfMonth(from, months(from) - months(to));
}

/**
 * The period that ends where a period from `from` to `to`, both dates or both times, starts: as
 * many months if both are the first of a month, else as many days, or as many seconds. Of a period
 * that is not over at `now`, only the part that has elapsed, to the minute, and `isPart` is true.
 */
export function periodBefore({ from, to, tz }, now = new Date()) {
  const minute = new Date(Math.floor(now / 60_000) * 60_000);
  if (!isDate(from)) {
    const start = Date.parse(from) - (Date.parse(to) - Date.parse(from));
    const isPart = minute < new Date(to) && minute > new Date(from);
    const end = isPart ? new Date(start + (minute - new Date(from))).toISOString() : from;
    return { from: new Date(start).toISOString(), to: end, isPart };
  }
  const start = startBefore(from, to);
  const { date, time } = localIn(tz, minute);
  const elapsed = addDays(start, (midnight(date) - midnight(from)) / DAY_MILLISECONDS);
  const isPart = date >= from && date < to && elapsed < from;
  return { from: start, to: isPart ? instantOf({ date: elapsed, time }, tz).toISOString() : from,
    isPart };
}
