// The groups of a summary, as the chart, the list and the table show them.

import { count } from "../shared/format.js";
import { coloursOf } from "./colours.js";
import { valueText } from "./parts.js";
import { UNGROUPED } from "./view.js";

/**
 * The groups by credits, the sum of the others last. Each has a key, a name, the custom property
 * of its colour, its sum and its series; and, except for the others, the filter that selects it.
 * A view that is not grouped has one group, without a sum.
 */
export function groupsOf({ group_by: [part], groups, buckets }, { groupBy }) {
  if (groupBy === UNGROUPED) {
    const series = buckets.map((bucket) => bucket.credits_used);
    return [{ key: "", name: "Credits", colour: "--accent", series }];
  }
  const named = groups.filter(({ other }) => !other);
  const keyOf = (group) => `${part}=${group[part] ?? ""}`;
  const colours = coloursOf(named.map(keyOf));
  return groups.map((sum) => {
    const { other, groups: number, series } = sum;
    if (other) {
      const name = `Other (${count(number)})`;
      return { key: `${part} other`, name, colour: "--other", sum, series, number };
    }
    const value = sum[part] ?? "";
    const key = keyOf(sum);
    return { key, name: valueText(part, value), colour: `--group-${colours.get(key) + 1}`, sum,
      series, filter: [part, value] };
  });
}

/**
 * The number of values among a summary's groups: records without a value are no value. Null if it
 * is not known whether there are such records among the groups that were left out.
 */
export function valuesIn({ group_by: [part], groups, totals }) {
  const other = groups.find((group) => group.other)?.groups ?? 0;
  const named = groups.filter((group) => group[part] !== undefined).length;
  const isListed = groups.some((group) => !group.other && group[part] === undefined);
  if (isListed || other === 0) return named + other;
  if (part === "report_name") return named + other - (totals.reports < totals.messages ? 1 : 0);
  return null;
}
