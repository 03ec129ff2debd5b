// The budgets in force: how much of each is used, and the lines of those that the chart can show.

import { isAbort, ResponseCache } from "../shared/api.js";
import { element, show } from "../shared/dom.js";
import { credits, periodText } from "../shared/format.js";

const responses = new ResponseCache();

export const forgetBudgets = () => responses.clear();

/** The budgets that the key sees, the most used first; none if they cannot be read. */
export async function budgetsOf(signal) {
  try {
    const { budgets } = await responses.get("/budgets", signal);
    return budgets.toSorted((one, other) => other.percent - one.percent);
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
