import { records } from "./records.js";

const NEWEST = 50;
const element = (id) => document.getElementById(id);
const grouped = new Intl.NumberFormat("en");

/** Hundredths as text: exact, for a sum of a million prices is no matter for floating point. */
function creditText(hundredths) {
  return `${grouped.format(Math.trunc(hundredths / 100))}.${String(hundredths % 100).padStart(2, "0")}`;
}

/** The credits of a record's JSON text, in hundredths. */
function hundredthsOf(text) {
  return Number(text.slice(text.lastIndexOf(":") + 1, -1).replace(".", ""));
}

function row(record, credits) {
  const line = document.createElement("tr");
  const cells = [
    record.timestamp.replace("T", " ").replace("Z", ""),
    record.report_name ?? "",
    String(record.message_id),
    credits,
  ];
  cells.forEach((text, index) => {
    const cell = line.insertCell();
    cell.textContent = text;
    if (index > 1) cell.className = "number";
  });
  return line;
}

/** Reads all records; the newest are the last, for the answer is ordered by time. */
async function summarize(response, progress) {
  let count = 0;
  let hundredths = 0;
  let newest = [];
  for await (const text of records(response)) {
    count += 1;
    hundredths += hundredthsOf(text);
    newest.push(text);
    if (newest.length === 2 * NEWEST) newest = newest.slice(NEWEST);
    if (count % 50_000 === 0) progress(count);
  }
  return { count, hundredths, newest: newest.slice(-NEWEST).reverse() };
}

async function show() {
  element("reload").hidden = true;
  element("state").textContent = "Reading the records …";
  try {
    const response = await fetch("/usage");
    if (!response.ok) throw new Error((await response.json()).detail);
    const summary = await summarize(response, (count) => {
      element("state").textContent = `Reading the records … ${grouped.format(count)}`;
    });
    element("credits").textContent = creditText(summary.hundredths);
    element("messages").textContent = grouped.format(summary.count);
    element("newest").replaceChildren(
      ...summary.newest.map((text) => row(JSON.parse(text), creditText(hundredthsOf(text)))),
    );
    element("empty").hidden = summary.count > 0;
    element("state").textContent = `As of ${new Date().toISOString().slice(0, 19).replace("T", " ")} UTC`;
  } catch (error) {
    // What was shown before stays, and is said to be old.
    element("state").textContent = `Cannot read the records: ${error.message}`;
    element("reload").hidden = false;
  }
}

element("reload").addEventListener("click", show);
show();
