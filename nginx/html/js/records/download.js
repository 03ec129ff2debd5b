// Downloads of the view: its records with the columns of the table, and the sums of its chart.

import { addressOf, ask, storedKey } from "../shared/api.js";
import { element } from "../shared/dom.js";
import { filterOf, queryText, recordsOf, UNGROUPED } from "../view/view.js";
import { attachMenu } from "./menu.js";

const TIMEOUT_SECONDS = 3600;
/** The links: what they save, and the parameters of its format. */
const RECORDS = {
  "csv": { format: "csv" },
  // Without a byte order mark, Excel does not read CSV as UTF-8.
  "csv-excel": { format: "csv", bom: "true" },
  "ndjson": { format: "ndjson" },
};
const SUMS = { "sums-csv": { format: "csv" }, "sums-excel": { format: "csv", bom: "true" } };
/** The view of the links to records. */
let shown = null;
const say = (text) => { element("records-state").textContent = text; };

/** Fetches the response and saves it: a link cannot send a key. */
async function save(link) {
  say("Preparing the file …");
  try {
    const response = await ask(link.href, { seconds: TIMEOUT_SECONDS });
    const name = response.headers.get("Content-Disposition")?.match(/filename="([^"]*)"/)?.[1];
    const file = document.createElement("a");
    file.href = URL.createObjectURL(await response.blob());
    file.download = name ?? link.download;
    file.click();
    setTimeout(() => URL.revokeObjectURL(file.href), 60_000);
    say("");
  } catch (error) {
    say(`Download failed: ${error.message}`);
  }
}

/** Without TLS, browsers only copy on the computer that serves the page. */
async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    say("Link copied.");
  } catch {
    say("The browser does not allow copying here. The link is in its address bar.");
  }
}

export function startDownloads() {
  for (const id of Object.keys({ ...RECORDS, ...SUMS })) {
    element(id).addEventListener("click", (event) => {
      say("");
      element("save").hidePopover();
      if (!storedKey()) return;
      event.preventDefault();
      save(event.currentTarget);
    });
  }
  element("save-local").addEventListener("change", () => { if (shown) showRecordDownloads(); });
  element("copy-link").addEventListener("click", copyLink);
  attachMenu(element("save-open"), element("save"));
}

function setLink(id, path, parameters, format, name) {
  for (const [key, value] of Object.entries(format)) parameters.set(key, value);
  element(id).href = addressOf(`${path}${queryText(parameters)}`);
  element(id).download = `${name}.${format.format}`;
}

function showRecordDownloads() {
  const local = element("save-local").checked ? { local_times: "true" } : {};
  for (const [id, format] of Object.entries(RECORDS)) {
    setLink(id, "/usage", recordsOf(shown), { ...format, ...local }, "orbital-usage");
  }
}

/** Sets the links to the records of a resolved view. */
export function showDownloads(view) {
  say("");
  for (const zone of document.querySelectorAll(".save-zone")) zone.textContent = view.tz;
  element("save-local").closest("label").hidden = view.tz === "UTC";
  shown = view;
  showRecordDownloads();
}

/** Sets the links to the sums of a summary: the same buckets and groups. */
export function showSumDownloads(view, { granularity, groups }) {
  for (const [id, format] of Object.entries(SUMS)) {
    const parameters = filterOf(view);
    if (view.groupBy !== UNGROUPED) {
      parameters.set("group_by", view.groupBy);
      parameters.set("top", Math.max(1, groups.filter(({ other }) => !other).length));
    }
    parameters.set("granularity", granularity);
    setLink(id, "/usage/summary", parameters, format, "orbital-sums");
  }
}
