// Numbers and times as people read them: in the browser's locale, as in its date fields. Months
// have names, so that no date can be read in two ways.

/** Date fields have the Gregorian calendar in every locale. */
const LOCALE = new Intl.Locale(
  new Intl.DateTimeFormat().resolvedOptions().locale, { calendar: "gregory" });
const whole = new Intl.NumberFormat(LOCALE);
const twoDecimals = new Intl.NumberFormat(LOCALE, {
  minimumFractionDigits: 2, maximumFractionDigits: 2,
});
const short = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 2 });

/** A rate may have more decimals than credits have. */
const allDecimals = new Intl.NumberFormat(LOCALE, {
  minimumFractionDigits: 2, maximumFractionDigits: 10,
});

// Each takes a number or, if a number would lose digits, a string.
export const count = (number) => whole.format(number);
export const credits = (number) => twoDecimals.format(number);
export const rate = (number) => allDecimals.format(number);
export const compact = (number) => short.format(number);

/** "1 message", "2 messages". */
export const counted = (number, noun, plural = `${noun}s`) =>
  `${count(number)} ${number === 1 ? noun : plural}`;

/** The number of records of a sum. */
export const records = ({ messages, corrections = 0 }) => messages + corrections;

/** Credits, a number or a string, as an integer of hundredths: no digit is lost. */
function hundredths(credits) {
  const [whole, fraction = ""] = String(credits).split(".");
  return BigInt(whole + fraction.padEnd(2, "0"));
}

/** The exact sum of credits, as a text. */
export const total = (amounts) =>
  `${amounts.reduce((sum, amount) => sum + hundredths(amount), 0n)}E-2`;

const percents = new Intl.NumberFormat(LOCALE, {
  style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1,
});

/** A part of a whole as a percentage; both are credits. */
export const share = (part, whole) =>
  (Number(whole) > 0 ? percents.format(Number(part) / Number(whole)) : "–");

/** Input and output tokens of a sum, exactly; 0 if no tokens were reported. */
export const tokens = ({ input_tokens: input = 0, output_tokens: output = 0 }) =>
  BigInt(input) + BigInt(output);

/** "+12.5%": how much more `now` is than `before`; both are credits or whole numbers. */
export function changeText(now, before) {
  const [one, other] = [hundredths(now), hundredths(before)];
  if (one === other) return `±${percents.format(0)}`;
  if (other <= 0n) return one > other ? "more" : "less";
  const share = Number(one - other) / Number(other);
  return `${share > 0 ? "+" : "−"}${percents.format(Math.abs(share))}`;
}

/** Credits per message; half a hundredth is rounded away from zero, as PostgreSQL rounds. */
export function average({ credits_used: sum, messages }) {
  if (messages === 0) return "–";
  const [total, number] = [hundredths(sum), BigInt(messages)];
  const half = total < 0n ? -number : number;
  return credits(`${(2n * total + half) / (2n * number)}E-2`);
}

function formatter(zone, options) {
  return new Intl.DateTimeFormat(LOCALE, {
    timeZone: zone, day: "numeric", month: "short", year: "numeric", ...options,
  });
}

/** The time of the computer's clock. */
export const clockText = (moment) => moment.toLocaleTimeString(LOCALE, CLOCK);

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };

/** A function that formats a record's time in a zone, to the second. */
export function timesIn(zone) {
  const times = formatter(zone, CLOCK);
  return (timestamp) => times.format(new Date(timestamp));
}

/** A time with all recorded digits and with the zone's offset at that time. */
export function preciseTime(timestamp, zone) {
  const fraction = timestamp.match(/\.\d+/)?.[0] ?? "";
  const text = timesIn(zone)(timestamp);
  // Some locales translate GMT.
  const offset = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" })
    .formatToParts(new Date(timestamp)).find((part) => part.type === "timeZoneName").value;
  return `${text}${fraction} ${offset.replace("GMT", "UTC")}`;
}

const dates = formatter("UTC", {});
const days = formatter("UTC", { weekday: "short" });
const months = new Intl.DateTimeFormat(LOCALE, {
  timeZone: "UTC", month: "long", year: "numeric",
});

/** A local date, in no zone. */
const dateText = (date) => dates.format(new Date(`${date}T00:00:00Z`));

/** The local time of an hour, with the offset if clocks go back and show that time twice. */
function hourText(buckets, index) {
  const { start } = buckets[index];
  const isTwice = [index - 1, index + 1]
    .some((each) => buckets[each]?.start.slice(0, 16) === start.slice(0, 16));
  return start.slice(11, 16) + (isTwice ? ` (UTC${start.slice(19)})` : "");
}

/** The full name of a bucket. */
export function bucketText(buckets, index, granularity) {
  const date = new Date(`${buckets[index].date}T00:00:00Z`);
  switch (granularity) {
    case "hour": return `${days.format(date)}, ${hourText(buckets, index)}`;
    case "week": return `Week of ${dates.format(date)}`;
    case "month": return months.format(date);
    default: return days.format(date);
  }
}

const tickDates = new Intl.DateTimeFormat(LOCALE, {
  timeZone: "UTC", day: "numeric", month: "short",
});
const tickMonths = new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", month: "short" });

/**
 * The short name of a bucket under the axis. The year is added if it differs from the year of
 * `before`. An hour other than midnight has its time, and its date if that differs from `before`.
 */
export function tickText(bucket, granularity, before) {
  const date = new Date(`${bucket.date}T00:00:00Z`);
  const time = bucket.start.slice(11, 16);
  if (granularity === "hour" && before?.date === bucket.date) return time;
  if (granularity === "hour" && time !== "00:00") return `${time}\n${tickDates.format(date)}`;
  const text = (granularity === "month" ? tickMonths : tickDates).format(date);
  return before?.date.slice(0, 4) === bucket.date.slice(0, 4)
    ? text : `${text}\n${bucket.date.slice(0, 4)}`;
}

/** The period of a summary: dates if it consists of whole days, else times. */
export function periodText({ from, to }) {
  if (from === to) return momentText(from);
  const isWholeDays = from.slice(11, 19) === "00:00:00" && to.slice(11, 19) === "00:00:00";
  if (!isWholeDays) return `${momentText(from)} – ${momentText(to)}`;
  const last = new Date(Date.parse(`${to.slice(0, 10)}T00:00:00Z`) - 86_400_000);
  const first = dateText(from.slice(0, 10));
  return first === dates.format(last) ? first : `${first} – ${dates.format(last)}`;
}

const momentText = (text) => `${dateText(text.slice(0, 10))}, ${text.slice(11, 16)}`;
