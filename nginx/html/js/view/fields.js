// The fields of a record, as the API names and orders them: the columns that the table can have.

/** The column that every table has, because its buttons open the receipts. */
const KEY = "message_id";

const TITLES = {
  [KEY]: "Message",
  external_id: "External id",
  timestamp: "Time",
  recorded_at: "Recorded",
  report_name: "Report",
  user_id: "User",
  team_id: "Team",
  model: "Model",
  tags: "Tags",
  input_tokens: "Input tokens",
  output_tokens: "Output tokens",
  cache_read_input_tokens: "Cached input",
  cache_creation_input_tokens: "Written to cache",
  corrects: "Corrects",
  reason: "Reason",
  credits_used: "Credits",
};

export const FIELDS = Object.keys(TITLES);

/** The fields that can be left out. */
export const OPTIONAL = FIELDS.filter((field) => field !== KEY);

/** The fields that the service can sort by. */
export const SORTABLE = [KEY, "timestamp", "report_name", "credits_used"];

/** The order of a table that is not sorted: the newest record first. */
export const NEWEST_FIRST = [{ column: "timestamp", direction: "desc" }];

/** "User", for the head of a column. */
export const fieldTitle = (field) => TITLES[field];

/** Fields in the service's order, with the column that every table has. */
export const inOrder = (fields) =>
  FIELDS.filter((field) => field === KEY || fields.includes(field));

/** The fields of a table without a choice, if the newest records have the `used` ones. */
export const defaultFields = (used) => inOrder([
  "timestamp", "report_name", "credits_used",
  ...["user_id", "model"].filter((field) => used.includes(field)),
]);

/** The fields that an address names, or null; `fault` is called for each unknown one. */
export function readFields(text, fault) {
  if (text === "all") return FIELDS;
  const names = text.split(",");
  for (const name of names.filter((each) => !FIELDS.includes(each))) fault(name);
  const known = names.filter((each) => FIELDS.includes(each));
  return known.length > 0 ? inOrder(known) : null;
}
