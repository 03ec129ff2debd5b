// Downloads of all records of the view, as a file.

import { ask, storedKey } from "../shared/api.js";
import { element } from "../shared/dom.js";
import { queryText, recordsOf } from "../view/view.js";

const FORMATS = ["csv", "ndjson"];
const TIMEOUT_SECONDS = 3600;
const say = (text) => { element("download-state").textContent = text; };

function address(view, format) {
  const parameters = recordsOf(view);
  parameters.set("format", format);
  // Without a byte order mark, Excel does not read CSV as UTF-8.
  if (format === "csv") parameters.set("bom", "true");
  return `/usage${queryText(parameters)}`;
}

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

export function startDownloads() {
  for (const format of FORMATS) {
    element(format).addEventListener("click", (event) => {
      say("");
      if (!storedKey()) return;
      event.preventDefault();
      save(event.currentTarget);
    });
  }
}

/** Sets the links to the records of `view`. */
export function showDownloads(view) {
  say("");
  for (const format of FORMATS) {
    element(format).href = address(view, format);
    element(format).download = `orbital-usage.${format}`;
  }
}
