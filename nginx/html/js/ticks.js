// Which bars have a name under the axis.

import { tickText } from "./format.js";

const WIDTH = 68;
const STEPS = {
  hour: [1, 2, 3, 6, 12, 24, 48, 72, 168],
  day: [1, 2, 7, 14],
  week: [1, 2, 4, 8, 13, 26, 52],
  month: [1, 2, 3, 6, 12, 24],
  total: [1],
};

/** The indices that may have one; months begin on many dates, so days count from their first. */
function candidates(buckets, granularity, room) {
  const all = buckets.map((_, index) => index);
  if (granularity === "day" && buckets.length / room > 7) {
    return all.filter((index) => buckets[index].date.endsWith("-01"));
  }
  const step = STEPS[granularity].find((each) => buckets.length / each <= room)
    ?? Math.ceil(buckets.length / room);
  return all.filter((index) => index % step === 0);
}

/** The ticks of a chart that is `width` wide: which bar, and its text. */
export function ticksOf({ buckets, granularity }, width) {
  const room = Math.max(2, Math.floor((width - 64) / WIDTH));
  const indices = candidates(buckets, granularity, room);
  const every = Math.ceil(indices.length / room);
  const chosen = indices.filter((_, place) => place % every === 0);
  return chosen.map((index, place) => ({
    index, text: tickText(buckets[index], granularity, buckets[chosen[place - 1]]),
  }));
}
