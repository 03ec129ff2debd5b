// What the page must know first: the zones, the newest record, what can be grouped by, and whose
// records a key shows.

import { ask, contentOf, storedKey } from "../shared/api.js";

/** Only the header is needed, so the range is empty. */
const NOTHING = "/usage/summary?from=2000-01-01&to=2000-01-01";
/** Where the keys of tags are looked for. */
const NEWEST = "/usage?fields=timestamp,user_id,model,tags&sort=timestamp:desc&limit=1000";

/** The bounds of the tab's key; none without a key. */
async function readBounds(signal) {
  // Without a key, `GET /me` is an error, which browsers write to the console.
  if (!storedKey()) return {};
  return (await contentOf(await ask("/me", { signal }))).bounds ?? {};
}

/**
 * The reporting zones, the bounds of the key, the time of the newest record or null, and, of the
 * newest 1,000 records, the parts of their tags, most frequent first, which of user and model they
 * have beside what the bounds fix, and the default grouping.
 */
export async function discover(signal) {
  const [response, { usage }, bounds] = await Promise.all([
    ask(NOTHING, { signal }), ask(NEWEST, { signal }).then(contentOf), readBounds(signal)]);
  const counts = new Map();
  for (const { tags = {} } of usage) {
    for (const key of Object.keys(tags)) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const used = ["user_id", "model"].filter((field) =>
    bounds[field] === undefined && usage.some((each) => each[field] !== undefined));
  return {
    zones: response.headers.get("X-Reporting-Zones")?.split(", ") ?? ["UTC"],
    bounds,
    newest: usage[0]?.timestamp ?? null,
    tags: [...counts.keys()]
      .toSorted((one, other) => counts.get(other) - counts.get(one)).map((key) => `tag:${key}`),
    used,
    // One user's usage is shown by model.
    grouping: used[0] ?? "report_name",
  };
}
