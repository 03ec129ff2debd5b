// What records can be grouped and filtered by: report, user, team, model and the keys of tags.

const NAMES = {
  report_name: ["Report", "Reports"],
  user_id: ["User", "Users"],
  team_id: ["Team", "Teams"],
  model: ["Model", "Models"],
};

/** The parts that are not tags, as the API names them. */
export const PARTS = Object.keys(NAMES);

const TAG = /^tag:[A-Za-z0-9_.-]{1,64}$/;

export const isTag = (part) => TAG.test(part);
export const isPart = (part) => part in NAMES || isTag(part);

/** "User", or the key of a tag. */
export const partName = (part) => NAMES[part]?.[0] ?? part.slice(4);

/** "user", "users" for a number of values; a tag has "values of env". */
export function partNoun(part, number) {
  if (isTag(part)) return `${number === 1 ? "value" : "values"} of ${partName(part)}`;
  return NAMES[part][number === 1 ? 0 : 1].toLowerCase();
}

/** "Without a user". */
export const withoutText = (part) =>
  (isTag(part) ? `Without ${partName(part)}` : `Without a ${partNoun(part, 1)}`);

/** A value as people read it; the empty value is that of records without one. */
export const valueText = (part, value) => value || withoutText(part);

/** A filter, a part and a value, in words. */
export function filterText([part, value]) {
  if (part === "has_report") return "With a report";
  return value === "" ? withoutText(part) : `${partName(part)}: ${value}`;
}

/** The name and the value of a filter's parameter. */
export function parameterOf([part, value]) {
  if (isTag(part)) return ["tag", `${partName(part)}:${value}`];
  return part === "report_name" && value === "" ? ["has_report", "false"] : [part, value];
}

const isOf = (part, [other]) => other === part
  || (part === "report_name" && other === "has_report");

/** The filters without those of a part. */
export const withoutPart = (filters, part) => filters.filter((each) => !isOf(part, each));

export const hasFilter = (filters, [part, value]) =>
  filters.some(([otherPart, other]) => otherPart === part && other === value);

/**
 * The filters with one more, or without it if it was one of them. Records match any value of a
 * part. But a report and none, or two values of a tag, match nothing: the new one replaces them.
 */
export function toggled(filters, filter) {
  const [part, value] = filter;
  if (hasFilter(filters, filter)) {
    return filters.filter(([otherPart, other]) => otherPart !== part || other !== value);
  }
  if (isTag(part) || (part === "report_name" && value === "")) {
    return [...withoutPart(filters, part), filter];
  }
  if (part !== "report_name") return [...filters, filter];
  return [...filters.filter(([other, name]) => other !== "has_report"
    && !(other === part && name === "")), filter];
}
