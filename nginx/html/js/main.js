// The page: its address is the view, controls change the address, and `load` shows the view.

import { Chart } from "./chart/chart.js";
import { showGranularity, showRefusal, showTable, startGranularity } from "./chart/panel.js";
import { showDownloads, startDownloads } from "./records/download.js";
import { showReceipt } from "./records/receipt.js";
import { RecordsTable } from "./records/records.js";
import { cycled, makeSortable, showSort } from "./records/sort.js";
import { element } from "./shared/dom.js";
import { Live } from "./status/live.js";
import { askForKey, showSignedIn, startSignIn } from "./status/sign-in.js";
import { showNotices } from "./status/status.js";
import { showCards, showEmpty, showRatesToCheck } from "./summary/cards.js";
import { ReportList } from "./summary/reports.js";
import { forgetResponses, summariesOf } from "./summary/summaries.js";
import { showControls, showPreset, showReports, startControls } from "./view/controls.js";
import { emptyView, readView, recordsOf, searchOf, withReport, zoomed } from "./view/view.js";

/** Changes of one field within this time are one entry of the browser's history. */
const PASSING_MILLISECONDS = 1000;

let address = location.search;
let { view, faults } = readView(address);
/** What is on the screen: the parameters of the rows, and the responses with the sums. */
const shown = { rows: null, summary: null, reports: null };

/** The field of the last change, and the time of the change. */
const passed = { field: null, at: 0 };

const chart = new Chart(element("chart"), (first, last) => {
  change(zoomed(shown.summary, first, last));
});
const reports = new ReportList((name) => change(withReport(view, name)));
const table = new RecordsTable(
  (id, opener) => showReceipt(id, opener, view.tz), (failure) => live.failed(failure));
const live = new Live(load, (failure) => {
  if (!["unauthorised", "forbidden"].includes(failure.kind)) return;
  if (!shown.summary) element("main").hidden = true;
  askForKey(failure.message);
});

/** Shows the view. Reads the rows if those shown are of another view or of an older revision. */
async function load(signal) {
  const loaded = view;
  const parameters = recordsOf(loaded).toString();
  const rows = shown.rows === parameters ? null : table.show(loaded);
  // Until these arrive, the rows on the screen may be of either view.
  if (rows) shown.rows = null;
  // It is awaited below; until then, this prevents an unhandled rejection.
  rows?.catch(() => {});
  const sums = await summariesOf(loaded, signal);
  if (signal.aborted) return;
  if (sums.refusal) {
    view = { ...view, granularity: null };
    showRefusal(sums.refusal);
  }
  showSums(sums);
  showPreset(loaded);
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

function showSums({ summary, reports: all }) {
  if (shown.summary === summary && shown.reports === all) return;
  shown.summary = summary;
  shown.reports = all;
  showCards(summary, view);
  showRatesToCheck(summary);
  showGranularity(summary.granularity);
  chart.show(summary);
  showTable(summary);
  reports.show(all, view);
  showReports(view, all);
  showEmpty(summary, view);
}

/** Shows the parts of a view that need no response. */
function showView() {
  if (shown.summary) element("main").dataset.shows = "other";
  showNotices(faults);
  showRefusal("");
  showControls(view);
  showSort(element("records"), view.sort);
  showDownloads(view);
  if (shown.reports) reports.show(shown.reports, view);
  live.now();
}

/**
 * Changes the view and the address; null resets both. Quick changes of one `field`, such as a list
 * that the arrow keys step through, are one entry of the browser's history.
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
  // A link to another place on the page does not change the view.
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
