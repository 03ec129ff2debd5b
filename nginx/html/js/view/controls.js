// The fields above the cards for the range and the zone: they show the view and change it.

import { element, show } from "../shared/dom.js";
import { addDays, dateIn, daysOf, PRESETS, RECENT } from "./range.js";
import { between, NO_ZONES, zoneNamed } from "./view.js";

const CUSTOM = "custom";

/** The period on the screen, which custom dates start from. */
let period = null;

/** Calls `onChange` with the changes of the view and, for a list, with its element. */
export function startControls(onChange) {
  element("preset").append(
    ...Object.entries(PRESETS).map(([name, [label]]) => new Option(label, name)),
    new Option("Custom dates", CUSTOM));
  element("preset").addEventListener("change", ({ target }) => {
    const range = target.value === RECENT ? null : target.value;
    if (range !== CUSTOM) onChange({ ...between(null, null), range }, target);
    else onChange(between(...customStart()), target);
  });
  for (const id of ["from", "to"]) {
    onDate(element(id), () => onChange(between(...customRange(id))));
  }
  element("zone").addEventListener("change", ({ target }) => {
    onChange({ tz: target.selectedIndex === 0 ? null : target.value }, target);
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

/** The bounds of the period on the screen, as dates. */
function customStart() {
  const today = dateIn("UTC");
  const [first, last] = period?.from ? daysOf(period) : [today, today];
  return [first, addDays(last, 1)];
}

/** The bounds by both date fields; if they are reversed, both are the date that was changed. */
function customRange(changed) {
  let from = element("from").value || null;
  let last = element("to").value || null;
  if (from && last && from > last) [from, last] = changed === "from" ? [from, from] : [last, last];
  return [from, last && addDays(last, 1)];
}

function groupOf(label, zones) {
  const group = document.createElement("optgroup");
  group.label = label;
  group.append(...zones.map((zone) => new Option(zone)));
  return group;
}

/** The options of the zone field: the zones whose grouped sums are fast come first. */
function zoneOptions(zones, current) {
  // A computer without a valid time zone reports a name that the service does not know.
  const own = zoneNamed(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "");
  const near = own && !zones.includes(own) ? [own] : [];
  // All are known; to ask for each takes as long as the rest of the start.
  const others = Intl.supportedValuesOf("timeZone")
    .filter((zone) => ![...NO_ZONES, ...zones, ...near].includes(zone));
  if (![...zones, ...near, ...others].includes(current)) others.unshift(current);
  return [
    groupOf("Reporting zones", zones), ...near.map((zone) => groupOf("Yours (slower)", [zone])),
    groupOf("Other zones (slower)", others),
  ];
}

/** Shows the range and the zone of a resolved view; `isCustom` says that its dates were chosen. */
export function showControls(view, isCustom, zones) {
  element("preset").value = isCustom ? CUSTOM : view.range ?? RECENT;
  show(element("dates"), isCustom, element("preset"));
  const [first, last] = daysOf(view);
  setDate("from", first);
  setDate("to", last);
  const zone = element("zone");
  const isListed = [...zone.options].some((option) => option.value === view.tz);
  const listed = [...zone.querySelectorAll("optgroup:first-child option")].map(({ text }) => text);
  // Replacing the options would close an open list.
  if (!isListed || listed.join() !== zones.join()) {
    zone.replaceChildren(...zoneOptions(zones, view.tz));
  }
  zone.value = view.tz;
  element("zone-name").textContent = element("zone-name").title = view.tz;
}

/** Remembers the period of a summary. */
export function showPeriod(summary) {
  period = summary;
}

/** Sets a date field; an equal value is not set, because that would discard typed digits. */
function setDate(id, value) {
  if (element(id).value !== value) element(id).value = value;
}
