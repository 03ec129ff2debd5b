// Exactly what is shown, whole, as a file.

import { ask } from "./api.js";
import { storedKey } from "./sign-in.js";
import { queryText, recordsOf } from "./view.js";

const FORMATS = ["csv", "ndjson"];
const WAIT_SECONDS = 3600;
const element = (id) => document.getElementById(id);
const say = (text) => { element("download-state").textContent = text; };

function address(view, format) {
  const parameters = recordsOf(view);
  parameters.set("format", format);
  // Without a byte order mark, Excel does not read CSV as UTF-8.
  if (format === "csv") parameters.set("bom", "true");
  return `/usage${queryText(parameters)}`;
}

/** A link cannot carry a key: the answer is fetched, and then saved. */
async function save(link) {
  say("Preparing the file …");
  try {
    const response = await ask(link.href, { seconds: WAIT_SECONDS });
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

/** Lets the links give what `view` shows. */
export function showDownloads(view) {
  say("");
  for (const format of FORMATS) {
    element(format).href = address(view, format);
    element(format).download = `orbital-usage.${format}`;
  }
}
