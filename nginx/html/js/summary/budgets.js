// The budgets in force: how much of each is used, and the lines of those that the chart can show.

import { isAbort, ResponseCache } from "../shared/api.js";
import { element, show } from "../shared/dom.js";
import { credits, periodText } from "../shared/format.js";

const responses = new ResponseCache();
const NOTHING = { summary: null, minute: 0, budgets: [] };
/** The budgets that were read last, with which summary, and in which minute. */
let last = NOTHING;

export function forgetBudgets() {
  responses.clear();
  last = NOTHING;
}

/**
 * The budgets that the key sees, the most used first; none if they cannot be read. They are read
 * with each new summary; and each minute, because their periods begin.
 */
export async function budgetsOf(summary, signal) {
  const minute = Math.floor(Date.now() / 60_000);
  const isOld = last.budgets.length > 0 && last.minute !== minute;
  if (last.summary === summary && !isOld) return last.budgets;
  try {
    const { budgets } = await responses.get("/budgets", signal);
    last = {
      summary, minute, budgets: budgets.toSorted((one, other) => other.percent - one.percent),
    };
    return last.budgets;
  } catch (error) {
    // Without them, the page still shows the sums.
    if (isAbort(error)) throw error;
    return [];
  }
}

/**
 * The lines for a chart with these buckets: credits that one bar may have, of budgets whose periods
 * are the buckets, and whose records are exactly those of the view.
 */
export function linesOf(budgets, { granularity, tz }, { filters }) {
  const isOfView = ({ user_id: user, team_id: team }) => {
    const target = user ? ["user_id", user] : team ? ["team_id", team] : null;
    return target ? filters.length === 1 && String(filters[0]) === String(target)
      : filters.length === 0;
  };
  return budgets.filter((budget) => budget.every === granularity && budget.tz === tz
    && !budget.month_start && isOfView(budget));
}

const whose = ({ user_id: user, team_id: team }) =>
  (user ? `user ${user}` : team ? `team ${team}` : "everybody");

function newItem() {
  const item = document.createElement("li");
  for (const name of ["name", "sum", "meter", "more"]) {
    const part = document.createElement(name === "meter" ? "div" : "span");
    part.className = name;
    item.append(part);
  }
  item.children[2].role = "meter";
  item.children[2].ariaValueMin = "0";
  return item;
}

/** Thresholds beyond this percentage would lie outside the bar. */
const FULL = 100;

function fillItem(item, budget) {
  const [name, sum, meter, more] = item.children;
  name.textContent = budget.name;
  name.title = budget.name;
  sum.textContent = `${credits(budget.used)} of ${credits(budget.credits)}`;
  const percent = Number(budget.percent);
  meter.ariaLabel = `${budget.name}: credits used`;
  meter.ariaValueMax = String(Math.max(FULL, percent));
  meter.ariaValueNow = String(Math.max(0, percent));
  meter.ariaValueText = `${percent}%`;
  meter.style.setProperty("--used", Math.min(1, Math.max(0, percent / FULL)));
  meter.classList.toggle("exceeded", percent >= FULL);
  meter.replaceChildren(...budget.thresholds.filter((each) => each < FULL).map((threshold) => {
    const tick = document.createElement("span");
    tick.style.setProperty("--at", threshold / FULL);
    return tick;
  }));
  const left = Number(budget.remaining) < 0
    ? `${credits(String(budget.remaining).slice(1))} over` : `${credits(budget.remaining)} left`;
  const parts = [`${percent}%`, left];
  if (budget.projected !== undefined) parts.push(`about ${credits(budget.projected)} at the end`);
  parts.push(`${whose(budget)}, ${periodText(budget)}`);
  more.textContent = parts.join(" · ");
}

/** Shows the budgets; the panel is hidden if there are none. */
export function showBudgets(budgets) {
  const list = element("budget-list");
  show(element("budgets"), budgets.length > 0);
  while (list.children.length > budgets.length) list.lastChild.remove();
  while (list.children.length < budgets.length) list.append(newItem());
  budgets.forEach((budget, index) => fillItem(list.children[index], budget));
}
