// The page: its address is the view, controls change the address, and `load` shows the view.

import { Chart } from "./chart/chart.js";
import {
  showGranularity, showGrouping, showRefusal, showTable, startGranularity, startGrouping,
} from "./chart/panel.js";
import { showColumns, startColumns } from "./records/columns.js";
import { showDownloads, showSumDownloads, startDownloads } from "./records/download.js";
import { showPlace, showReceipt, startReceipt } from "./records/receipt.js";
import { RecordsTable } from "./records/records.js";
import { cycled, showHeads, showSort } from "./records/sort.js";
import { element, show } from "./shared/dom.js";
import { records } from "./shared/format.js";
import { Live } from "./status/live.js";
import { askForKey, showSignedIn, startSignIn } from "./status/sign-in.js";
import { showNotices, showOwner } from "./status/status.js";
import { budgetsOf, forgetBudgets, linesOf, showBudgets } from "./summary/budgets.js";
import { showCards, showComparison, showRatesToCheck } from "./summary/cards.js";
import { showEmpty, startEmpty } from "./summary/empty.js";
import { GroupList } from "./summary/groups.js";
import { comparisonOf, forgetResponses, summaryOf } from "./summary/summaries.js";
import { forgetTitle, showTitle } from "./summary/title.js";
import { boundsText, choosable, isBound, within } from "./view/bounds.js";
import { showControls, showPeriod, startControls } from "./view/controls.js";
import { discover } from "./view/discover.js";
import { showFilters, startFilters } from "./view/filters.js";
import { groupsOf } from "./view/groups.js";
import { PARTS, toggled } from "./view/parts.js";
import { around } from "./view/range.js";
import { forgetValues } from "./view/values.js";
import {
  between, emptyView, OTHER, readView, recordsOf, resolved, searchOf, sortOf, zoomed,
} from "./view/view.js";

/** Changes of one field within this time are one entry of the browser's history. */
const PASSING_MILLISECONDS = 1000;
/** What is assumed until `discover` has found it. */
const UNKNOWN = {
  zones: ["UTC"], bounds: {}, newest: null, tags: [], used: [], grouping: "report_name",
};

let address = location.search;
let { view, faults } = readView(address, history.state?.outer);
/** What `discover` has found, or null. */
let found = null;
/** What is on the screen: the parameters of the rows, the summary, and what belongs to it. */
const shown = { rows: null, view: null, summary: null, compared: null, budgets: [] };
/** The field of the last change, and the time of the change. */
const passed = { field: null, at: 0 };

const chart = new Chart(element("chart"), (first, last) => {
  change(zoomed(view, shown.summary, first, last));
});
const groups = new GroupList(
  (filter) => change({ filters: toggled(view.filters, filter) }),
  (group) => {
    const value = hiddenAs(group);
    change({ hidden: view.hidden.includes(value) ? view.hidden.filter((each) => each !== value)
      : [...view.hidden, value] });
  });
const table = new RecordsTable(openReceipt, (failure) => live.failed(failure));
const live = new Live(load, (failure) => {
  if (!["unauthorised", "forbidden"].includes(failure.kind)) return;
  if (!shown.summary) element("main").hidden = true;
  askForKey(failure.message);
});

const known = () => found ?? UNKNOWN;
const current = () => resolved(within(view, known().bounds).view, known());

/** Shows the view. Reads the rows if those shown are of another view or of an older revision. */
async function load(signal) {
  // The first record decides about the zone's dates and the tags.
  if (!found?.newest) {
    const discovered = await discover(signal);
    if (signal.aborted) return;
    found = discovered;
    showChoices();
  }
  const loaded = current();
  const parameters = `${recordsOf(loaded)} ${loaded.tz}`;
  const rows = shown.rows === parameters ? null : table.show(loaded);
  // Until these arrive, the rows on the screen may be of either view.
  if (rows) shown.rows = null;
  // Both are awaited below; until then, this prevents an unhandled rejection.
  rows?.catch(() => {});
  const { summary, refusal } = await summaryOf(loaded, signal);
  if (signal.aborted) return;
  if (refusal) {
    view = { ...view, granularity: null };
    showRefusal(refusal);
  }
  const budgets = budgetsOf(summary, signal);
  budgets.catch(() => {});
  showSums(summary, loaded);
  const comparing = compare(summary, loaded, signal);
  comparing.catch(() => {});
  shown.budgets = await budgets;
  if (signal.aborted) return;
  showBudgets(shown.budgets);
  showLines();
  await rows;
  if (signal.aborted) return;
  table.setTotal(records(summary.totals));
  await table.catchUp(summary.revision);
  showPlace();
  await comparing;
  if (signal.aborted) return;
  shown.rows = parameters;
  element("main").dataset.shows = "this";
  element("main").hidden = false;
  showSignedIn();
}

/** Reads what the sums are compared with; again only after they have changed. */
async function compare(summary, loaded, signal) {
  if (shown.compared === summary) return;
  const comparison = await comparisonOf(loaded, summary, signal);
  if (signal.aborted) return;
  showComparison(summary, comparison);
  shown.compared = summary;
}

function showSums(summary, loaded) {
  const isSame = shown.summary === summary;
  shown.summary = summary;
  shown.view = loaded;
  showPeriod(summary);
  showTitle(summary, loaded, boundsText(known().bounds));
  showSumDownloads(loaded, summary);
  if (isSame) return;
  showCards(summary, loaded);
  if (!isBound(known().bounds)) showRatesToCheck(summary);
  showGranularity(summary.granularity);
  showGroups();
  showEmpty(summary, loaded, !found.newest, boundsText(known().bounds));
}

/** How the view names a group that the chart does not show. */
const hiddenAs = ({ filter }) => (filter ? filter[1] : OTHER);

function showGroups() {
  const all = groupsOf(shown.summary, shown.view);
  const isHidden = (group) => Boolean(group.sum) && shown.view.hidden.includes(hiddenAs(group));
  chart.show(shown.summary, all.filter((group) => !isHidden(group)));
  showLines();
  showTable(shown.summary, all);
  groups.show(shown.summary, all, shown.view, isHidden);
}

const showLines = () => chart.showLines(linesOf(shown.budgets, shown.summary, shown.view));

/** Shows and hides groups at once, even while nothing can be read. */
function showHidden() {
  const { summary, view: before } = shown;
  if (!summary || before.groupBy !== current().groupBy) return;
  shown.view = { ...before, hidden: view.hidden };
  showGroups();
}

/** Shows what can be chosen, and what is. */
function showChoices() {
  const { zones, tags, bounds } = known();
  const chosen = current();
  const parts = choosable([...PARTS, ...tags], bounds);
  showNotices([...faults, ...within(view, bounds).faults]);
  showOwner(boundsText(bounds));
  showControls(chosen, Boolean(view.from || view.to), zones);
  // Without a start, there is no period before.
  element("main").dataset.compared = view.range !== "all" && !(view.to && !view.from);
  showGrouping(chosen, parts);
  showFilters(chosen, parts);
  const head = element("records").tHead.rows[0];
  showHeads(head, chosen.fields, (column) => change({ sort: cycled(view.sort, column) }));
  showSort(head, sortOf(view), chosen.tz);
  showColumns(chosen, view.fields === null);
  showDownloads(chosen);
  // Without a key, the form to sign in comes first.
  if (found) showReceipt(chosen.message, chosen.tz);
  show(element("zoom-out"), Boolean(view.outer || view.from || view.to), element("chart"));
}

/** Shows the parts of a view that need no response. */
function showView() {
  if (shown.summary) element("main").dataset.shows = "other";
  showRefusal("");
  showChoices();
  showHidden();
  live.now();
}

/**
 * Changes the view and the address; null resets both. Quick changes of one `field`, such as a list
 * that the arrow keys step through, are one entry of the browser's history.
 */
function change(changes, field = null) {
  view = changes ? { ...view, ...changes } : emptyView();
  if (changes?.filters || changes?.groupBy) view.hidden = [];
  faults = [];
  if (searchOf(view) !== address) {
    const now = performance.now();
    const isPassing = field && field === passed.field && now < passed.at + PASSING_MILLISECONDS;
    const target = `${location.pathname}${searchOf(view)}`;
    const state = { outer: view.outer };
    if (isPassing) history.replaceState(state, "", target);
    else history.pushState(state, "", target);
    Object.assign(passed, { field, at: now });
    address = location.search;
  }
  showView();
}

/** Opens the receipt of a message; null closes it. */
function openReceipt(message) {
  if (message !== view.message) change({ message }, "message");
}

addEventListener("popstate", () => {
  // A link to another place on the page does not change the view.
  if (location.search === address) return;
  address = location.search;
  passed.field = null;
  ({ view, faults } = readView(address, history.state?.outer));
  showView();
});

startControls(change);
startFilters(change);
startDownloads();
startColumns((fields) => change({ fields }, "fields"));
startReceipt(table, openReceipt);
startEmpty(change);
startGranularity((granularity) => change({ granularity }));
startGrouping((groupBy, field) => change({ groupBy }, field));
element("zoom-out").addEventListener("click", () => {
  // A pasted link does not say from where its sender zoomed in.
  change(view.outer ?? { ...between(...around(current())), granularity: null });
});
startSignIn(() => {
  forgetResponses();
  forgetBudgets();
  forgetValues();
  table.forget();
  forgetTitle();
  shown.rows = shown.summary = shown.compared = found = null;
  live.now();
});
showView();
