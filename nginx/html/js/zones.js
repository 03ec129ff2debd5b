// The time zones that can be chosen: UTC and the reader's own before all others.

import { zoneNamed } from "./view.js";

function group(label, zones) {
  const element = document.createElement("optgroup");
  element.label = label;
  element.append(...zones.map((zone) => new Option(zone)));
  return element;
}

export function zoneOptions() {
  // A computer without a valid time zone reports one that the service does not know.
  const own = zoneNamed(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "");
  const all = Intl.supportedValuesOf("timeZone").filter((zone) => zoneNamed(zone));
  const near = own && own !== "UTC" ? ["UTC", own] : ["UTC"];
  return [group("Suggested", near), group("All", all.filter((zone) => !near.includes(zone)))];
}
