// The page: the address says what is shown, controls change the address, and `load` shows it.

import { showCards } from "./cards.js";
import { BucketTable } from "./bucket-table.js";
import { Chart } from "./chart.js";
import { showControls, showPreset, showReports, startControls } from "./controls.js";
import { showDownloads, startDownloads } from "./download.js";
import { showEmpty } from "./empty.js";
import { showGranularity, startGranularity } from "./granularity.js";
import { Live } from "./live.js";
import { showNotices } from "./notices.js";
import { showReceipt } from "./receipt.js";
import { RecordsTable } from "./records.js";
import { ReportList } from "./reports.js";
import { askForKey, showSignedIn, startSignIn } from "./sign-in.js";
import { cycled, makeSortable, showSort } from "./sort.js";
import { forgetResponses, summariesOf } from "./summaries.js";
import { emptyView, readView, recordsOf, searchOf } from "./view.js";
import { withReport, zoomed } from "./view-changes.js";

const element = (id) => document.getElementById(id);
const PASSING_MILLISECONDS = 1000;

let address = location.search;
let { view, faults } = readView(address);
/** What is on the screen: the parameters of the rows, and the response with the sums. */
const shown = { rows: null, summary: null, reports: null };

/** The field that the address was changed with last, and when. */
const passed = { field: null, at: 0 };

const chart = new Chart(element("chart"), (first, last) => {
  change(zoomed(shown.summary, first, last));
});
const twin = new BucketTable(element("twin"));
const reports = new ReportList((name) => change(withReport(view, name)));
const table = new RecordsTable(
  (id, opener) => showReceipt(id, opener, view.tz), (failure) => live.failed(failure));
const live = new Live(load, (failure) => {
  if (!["unauthorised", "forbidden"].includes(failure.kind)) return;
  if (!shown.summary) element("main").hidden = true;
  askForKey(failure.message);
});

/** Shows the view and, if rows are those of another one or of an older revision, reads these. */
async function load(signal) {
  const wanted = view;
  const parameters = recordsOf(wanted).toString();
  const rows = shown.rows === parameters ? null : table.show(wanted);
  // Until these arrive, the rows on the screen may be of either view.
  if (rows) shown.rows = null;
  // It is awaited below; until then, this prevents an unhandled rejection.
  rows?.catch(() => {});
  const sums = await summariesOf(wanted, signal);
  if (signal.aborted) return;
  showSums(sums);
  showPreset(wanted);
  await rows;
  if (signal.aborted) return;
  table.setTotal(sums.summary.totals.messages);
  await table.catchUp(sums.summary.revision);
  if (signal.aborted) return;
  shown.rows = parameters;
  element("main").dataset.shows = "this";
  element("main").hidden = false;
  showSignedIn();
}

function showSums({ summary, reports: all, length, notice }) {
  showNotices(notice ? [...faults, notice] : faults);
  if (shown.summary !== summary || shown.reports !== all) {
    shown.summary = summary;
    shown.reports = all;
    showCards(summary, view);
    showGranularity(summary.granularity, length);
    chart.show(summary);
    twin.show(summary);
    reports.show(all, view);
    showReports(view, all);
    showEmpty(summary, view);
  }
}

/** Shows the parts of a view that need no response. */
function showView() {
  if (shown.summary) element("main").dataset.shows = "other";
  showNotices(faults);
  showControls(view);
  showSort(element("records"), view.sort);
  showDownloads(view);
  if (shown.reports) reports.show(shown.reports, view);
  live.now();
}

/**
 * Goes to another view, which gets an address of its own; null is the one without parameters.
 * Choices of one `field` that quickly follow one another are those that the keyboard passes.
 */
function change(changes, field = null) {
  view = changes ? { ...view, ...changes } : emptyView();
  faults = [];
  if (searchOf(view) !== address) {
    const now = performance.now();
    const isPassing = field && field === passed.field && now < passed.at + PASSING_MILLISECONDS;
    const target = `${location.pathname}${searchOf(view)}`;
    if (isPassing) history.replaceState(null, "", target);
    else history.pushState(null, "", target);
    Object.assign(passed, { field, at: now });
    address = location.search;
  }
  showView();
}

addEventListener("popstate", () => {
  // Another place on the page is no other view.
  if (location.search === address) return;
  address = location.search;
  passed.field = null;
  ({ view, faults } = readView(address));
  showView();
});

startControls(change);
element("reset").addEventListener("click", () => reports.reset());
startDownloads();
element("all-reports").addEventListener("click", () => change({ reports: [], hasReport: null }));
startGranularity((granularity) => change({ granularity }));
startSignIn(() => {
  forgetResponses();
  shown.rows = shown.summary = shown.reports = null;
  live.now();
});
makeSortable(element("records"), (column) => change({ sort: cycled(view.sort, column) }));
showView();
