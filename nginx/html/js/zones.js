// The time zones that can be chosen: UTC and the reader's own before all others.

function group(label, zones) {
  const element = document.createElement("optgroup");
  element.label = label;
  element.append(...zones.map((zone) => new Option(zone)));
  return element;
}

export function zoneOptions() {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const all = Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC");
  const near = own && own !== "UTC" ? ["UTC", own] : ["UTC"];
  return [group("Near", near), group("All", all.filter((zone) => !near.includes(zone)))];
}
