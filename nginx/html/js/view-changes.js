// Views that follow from a click on a report or a stretch of the chart.

/** The view with one report more or less; null stands for the messages without a report. */
export function withReport({ reports, hasReport }, name) {
  if (name === null) return { reports: [], hasReport: hasReport === false ? null : false };
  const chosen = reports.includes(name) ? reports.filter((each) => each !== name)
    : [...reports, name];
  return { reports: chosen, hasReport: null };
}

const isMidnight = (time) => /^T00:00:00[Z+-]/.test(time.slice(10));

/** The range of some buckets: dates, which people can read, unless the buckets are hours. */
export function zoomed({ buckets, granularity }, first, last) {
  const asDate = (time, date) => (granularity !== "hour" && isMidnight(time) ? date : time);
  const { start, date } = buckets[first];
  const { end } = buckets[last];
  return { from: asDate(start, date), to: asDate(end, end.slice(0, 10)), granularity: null };
}
