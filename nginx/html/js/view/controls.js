// The fields above the cards: they show the view and change it.

import { element } from "../shared/dom.js";
import { count, NO_REPORT } from "../shared/format.js";
import { addDays, dateIn, daysOf, PRESETS, presetOf } from "./range.js";
import { zoneNamed } from "./view.js";

const CUSTOM = "custom";
/** The report field's options that are not a report; a report's option is "=" and its name. */
const ANY = "any", WITH = "with", WITHOUT = "without", SEVERAL = "several", MORE = "more";
const NAMES_SHOWN = 300;

/** Calls `onChange` with the changes of the view and, for a list, with its element. */
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
 * takes effect after Enter or when the field loses the focus; a date from the calendar at once.
 */
function onDate(field, action) {
  let isTyping = false;
  let before = null;
  const finish = () => {
    isTyping = false;
    if (before === null) return;
    // Restores an incomplete date; the field must be emptied first to drop the typed digits.
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

/** The range of both date fields; if it is reversed, both become the date that was changed. */
function customRange(changed) {
  let from = element("from").value || null;
  let last = element("to").value || null;
  if (from && last && from > last) [from, last] = changed === "from" ? [from, from] : [last, last];
  return { from, to: last && addDays(last, 1) };
}

/** Selects the preset that equals the view's range; it can change at midnight. */
export function showPreset(view) {
  const preset = presetOf(view);
  const value = preset < 0 ? CUSTOM : String(preset);
  // Setting the value would close an open list.
  if (element("preset").value !== value) element("preset").value = value;
}

function groupOf(label, zones) {
  const group = document.createElement("optgroup");
  group.label = label;
  group.append(...zones.map((zone) => new Option(zone)));
  return group;
}

/** The options of the zone field: UTC and the browser's own zone come first. */
function zoneOptions() {
  // A computer without a valid time zone reports a name that the service does not know.
  const own = zoneNamed(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "");
  const all = Intl.supportedValuesOf("timeZone").filter((zone) => zoneNamed(zone));
  const near = own && own !== "UTC" ? ["UTC", own] : ["UTC"];
  return [groupOf("Suggested", near), groupOf("All", all.filter((zone) => !near.includes(zone)))];
}

export function showControls(view) {
  showPreset(view);
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

/** Sets a date field; an equal value is not set, because that would discard typed digits. */
function setDate(id, value) {
  if (element(id).value !== value) element(id).value = value;
}

function moreOption(shown, all) {
  const text = `Showing ${count(shown)} of ${count(all)}; search for more below`;
  const option = new Option(text, MORE);
  option.disabled = true;
  return option;
}

/** Fills the report field with `reports` unless that is null, and selects the view's reports. */
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
    // Replacing the options would close an open list.
    if (!isSame) field.replaceChildren(...options);
  }
  let chosen = view.hasReport === null ? ANY : view.hasReport ? WITH : WITHOUT;
  let label = null;
  if (view.reports.length === 1) [chosen, label] = [`=${view.reports[0]}`, view.reports[0]];
  if (view.reports.length > 1) [chosen, label] = [SEVERAL, `${view.reports.length} reports`];
  field.querySelector(`option[value="${SEVERAL}"]`)?.remove();
  if (label && ![...field.options].some((option) => option.value === chosen)) {
    field.append(new Option(label, chosen));
  }
  field.value = chosen;
}
