// The labels under the axis.

import { tickText } from "../shared/format.js";

/** The width of a label in pixels, and the distances between labels, in buckets. */
const WIDTH = 68;
const STEPS = {
  hour: [1, 2, 3, 6, 12],
  day: [1, 2, 7, 14],
  week: [1, 2, 4, 8, 13, 26, 52],
  month: [1, 2, 3, 6, 12, 24],
  total: [1],
};

/** The bars at round hours or at the first of a month; empty if regular steps are better. */
function roundBars(buckets, granularity, step) {
  const all = buckets.map((_, index) => index);
  if (granularity === "hour") {
    const clock = (index) => buckets[index].start.slice(11, 16);
    if (!step) return all.filter((index) => buckets[index - 1]?.date !== buckets[index].date
      && (index > 0 || clock(index) === "00:00"));
    return all.filter((index) => parseInt(clock(index)) % step === 0
      && clock(index).endsWith(":00"));
  }
  if (granularity === "day" && !step) {
    const firsts = all.filter((index) => buckets[index].date.endsWith("-01"));
    return firsts.length > 2 ? firsts : [];
  }
  return [];
}

/** The labels of a chart of `width` pixels: bar and text. At least two if it has two bars. */
export function ticksOf({ buckets, granularity }, width) {
  const room = Math.max(2, Math.floor((width - 64) / WIDTH));
  const step = STEPS[granularity]
    .find((each) => buckets.length / each <= room && buckets.length > each);
  let indices = roundBars(buckets, granularity, step);
  if (indices.length < 2) {
    const every = step ?? Math.ceil(buckets.length / room);
    indices = buckets.map((_, index) => index).filter((index) => index % every === 0);
  }
  const every = Math.ceil(indices.length / room);
  const chosen = indices.filter((_, place) => place % every === 0);
  return chosen.map((index, place) => ({
    index, text: tickText(buckets[index], granularity, buckets[chosen[place - 1]]),
  }));
}
