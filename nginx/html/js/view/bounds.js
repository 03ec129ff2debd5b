// The bounds of a key: whose records it shows, and what can therefore not be chosen.

import { filterText, isTag, partName } from "./parts.js";

/** The parts that the bounds of `GET /me` fix, with their values. */
const fixedBy = ({ user_id: user, team_id: team, tags = {} }) => new Map([
  ...(user === undefined ? [] : [["user_id", user]]),
  ...(team === undefined ? [] : [["team_id", team]]),
  ...Object.entries(tags).map(([key, value]) => [`tag:${key}`, value]),
]);

export const isBound = (bounds) => fixedBy(bounds).size > 0;

/** "user u-17, env: prod". */
export const boundsText = (bounds) => [...fixedBy(bounds)].map(([part, value]) =>
  (isTag(part) ? `${partName(part)}: ${value}` : `${partName(part).toLowerCase()} ${value}`))
  .join(", ");

/** The parts that can be chosen within bounds. */
export function choosable(parts, bounds) {
  const fixed = fixedBy(bounds);
  return parts.filter((part) => !fixed.has(part));
}

/** A view without what bounds fix, and a sentence for each filter that they contradict. */
export function within(view, bounds) {
  const fixed = fixedBy(bounds);
  const refused = view.filters.filter(([part, value]) =>
    fixed.has(part) && fixed.get(part) !== value);
  return {
    view: {
      ...view,
      filters: view.filters.filter(([part]) => !fixed.has(part)),
      groupBy: fixed.has(view.groupBy) ? null : view.groupBy,
    },
    faults: refused.map((filter) =>
      `The filter “${filterText(filter)}” is outside this key’s records `
      + `(${boundsText(bounds)}). Ignored.`),
  };
}
