// What the page must know first: the zones, the newest record, and what can be grouped by.

import { ask, contentOf } from "../shared/api.js";

/** Only the header is needed, so the range is empty. */
const NOTHING = "/usage/summary?from=2000-01-01&to=2000-01-01";
/** Where the keys of tags are looked for. */
const NEWEST = "/usage?fields=timestamp,user_id,model,tags&sort=timestamp:desc&limit=1000";

/**
 * The reporting zones, the time of the newest record or null, and, of the newest 1,000 records,
 * the parts of their tags, most frequent first, and which of user and model they have.
 */
export async function discover(signal) {
  const [response, { usage }] = await Promise.all([
    ask(NOTHING, { signal }), ask(NEWEST, { signal }).then(contentOf)]);
  const counts = new Map();
  for (const { tags = {} } of usage) {
    for (const key of Object.keys(tags)) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return {
    zones: response.headers.get("X-Reporting-Zones")?.split(", ") ?? ["UTC"],
    newest: usage[0]?.timestamp ?? null,
    tags: [...counts.keys()]
      .toSorted((one, other) => counts.get(other) - counts.get(one)).map((key) => `tag:${key}`),
    used: ["user_id", "model"].filter((field) => usage.some((each) => each[field] !== undefined)),
  };
}
