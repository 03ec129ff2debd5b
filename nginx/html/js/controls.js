// The fields above the cards: they show the view, and a change of theirs is a new view.

import { count } from "./format.js";
import { addDays, dateIn, daysOf, PRESETS, presetOf } from "./range.js";
import { NO_REPORT } from "./reports.js";
import { zoneOptions } from "./zones.js";

const element = (id) => document.getElementById(id);
const CUSTOM = "custom";
/** Choices of the report field that are no report's name; names come after "=". */
const ANY = "any", WITH = "with", WITHOUT = "without", SEVERAL = "several", MORE = "more";
const NAMES_SHOWN = 300;

/** `onChange` hears what has changed of the view, and in which list it was chosen. */
export function startControls(onChange) {
  element("preset").append(
    ...PRESETS.map(([name], index) => new Option(name, index)), new Option("Custom", CUSTOM));
  element("preset").lastElementChild.hidden = true;
  element("preset").addEventListener("change", ({ target }) => {
    const [from, to] = PRESETS[target.value][1](dateIn(element("zone").value));
    onChange({ from, to }, target);
  });
  for (const id of ["from", "to"]) onDate(element(id), () => onChange(customRange(id)));
  element("zone").addEventListener("change", ({ target }) => {
    onChange({ tz: target.value }, target);
  });
  element("report").addEventListener("change", ({ target }) => {
    onChange({
      [ANY]: { reports: [], hasReport: null },
      [WITH]: { reports: [], hasReport: true },
      [WITHOUT]: { reports: [], hasReport: false },
    }[target.value] ?? { reports: [target.value.slice(1)], hasReport: null }, target);
  });
  element("reset").addEventListener("click", () => onChange(null));
}

/**
 * Calls `action` when the date changes. Chromium reports a change after each digit, so a typed date
 * takes effect after Enter or when the field loses the focus, one from the calendar at once.
 */
function onDate(field, action) {
  let isTyping = false;
  let before = null;
  const finish = () => {
    isTyping = false;
    if (before === null) return;
    // Half a date is none; emptied, for a field that has the same value may keep its digits.
    if (field.validity.badInput) {
      field.value = "";
      field.value = before;
    }
    const isOther = field.value !== before;
    before = null;
    if (isOther) action();
  };
  field.addEventListener("keydown", ({ key, altKey }) => {
    if (key === "Enter") finish();
    // The space bar and Alt open the calendar.
    else if (altKey || key === " ") isTyping = false;
    else if (key.length === 1 || ["ArrowUp", "ArrowDown", "Backspace", "Delete"].includes(key)) {
      isTyping = true;
      before ??= field.value;
    }
  });
  field.addEventListener("pointerdown", () => { isTyping = false; });
  field.addEventListener("blur", finish);
  field.addEventListener("change", () => {
    if (isTyping) return;
    before = null;
    action();
  });
}

/** The range of both date fields; the one that was changed moves the other out of its way. */
function customRange(changed) {
  let from = element("from").value || null;
  let last = element("to").value || null;
  if (from && last && from > last) [from, last] = changed === "from" ? [from, from] : [last, last];
  return { from, to: last && addDays(last, 1) };
}

/** At midnight, today becomes yesterday. */
export function showPreset(view) {
  const preset = presetOf(view);
  const value = preset < 0 ? CUSTOM : String(preset);
  // An open list would close.
  if (element("preset").value !== value) element("preset").value = value;
}

export function showControls(view) {
  showPreset(view);
  // A field that somebody is writing into keeps what is there.
  const [first, last] = daysOf(view);
  setDate("from", first);
  setDate("to", last);
  const zone = element("zone");
  if (zone.options.length === 0) zone.append(...zoneOptions());
  const isListed = [...zone.options].some((option) => option.value === view.tz);
  if (!isListed) zone.append(new Option(view.tz));
  zone.value = view.tz;
  element("zone-name").textContent = element("zone-name").title = `(${view.tz})`;
  showReports(view, null);
}

function setDate(id, value) {
  if (element(id).value !== value) element(id).value = value;
}

function moreOption(shown, all) {
  const text = `Showing ${count(shown)} of ${count(all)}; search for more below`;
  const option = new Option(text, MORE);
  option.disabled = true;
  return option;
}

/** Fills the report field with `reports`, or with those that it has; chooses what the view says. */
export function showReports(view, reports) {
  const field = element("report");
  if (reports) {
    const all = reports.flatMap(({ report_name: name }) => name ?? []);
    const names = all.slice(0, NAMES_SHOWN)
      .toSorted((one, other) => one.localeCompare(other, "en"));
    const options = [
      new Option("All messages", ANY), new Option("With a report", WITH),
      new Option(NO_REPORT, WITHOUT), ...names.map((name) => new Option(name, `=${name}`)),
    ];
    if (all.length > names.length) options.push(moreOption(names.length, all.length));
    const isSame = options.length === field.options.length
      && options.every((option, index) => option.value === field.options[index].value
        && option.text === field.options[index].text);
    // An open list would close.
    if (!isSame) field.replaceChildren(...options);
  }
  let wanted = view.hasReport === null ? ANY : view.hasReport ? WITH : WITHOUT;
  let label = null;
  if (view.reports.length === 1) [wanted, label] = [`=${view.reports[0]}`, view.reports[0]];
  if (view.reports.length > 1) [wanted, label] = [SEVERAL, `${view.reports.length} reports`];
  field.querySelector(`option[value="${SEVERAL}"]`)?.remove();
  if (label && ![...field.options].some((option) => option.value === wanted)) {
    field.append(new Option(label, wanted));
  }
  field.value = wanted;
}
