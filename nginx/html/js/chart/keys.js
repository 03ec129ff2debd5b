// The keyboard in the chart: the arrow keys read and select bars, as the pointer does.

import { element } from "../shared/dom.js";
import { sentence } from "./tip.js";

/** Handles the keys of `chart` in `area`; returns a function that cancels the selection. */
export function startKeys(area, chart) {
  const readout = element("chart-readout");
  /** The bar that is read, and the other end of the selection. */
  let index = null, anchor = null;

  const cancel = () => {
    index = anchor = null;
    readout.textContent = "";
    chart.point(null);
    chart.deselect();
  };

  const goTo = (target, isSelecting) => {
    const last = chart.buckets.length - 1;
    const before = index ?? (target < 0 ? last + 1 : -1);
    const next = Math.max(0, Math.min(last, target === "first" ? 0
      : target === "last" ? last : before + target));
    anchor = isSelecting ? anchor ?? index ?? next : null;
    index = next;
    chart.point(index);
    if (anchor === null) chart.deselect();
    else chart.select(Math.min(anchor, index), Math.max(anchor, index));
    const range = anchor === null ? "" : `${Math.abs(index - anchor) + 1} selected. `;
    readout.textContent = range + sentence(chart, index);
  };

  area.addEventListener("keydown", (event) => {
    if (chart.buckets.length === 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    const target = { ArrowRight: 1, ArrowLeft: -1, PageDown: 7, PageUp: -7, Home: "first",
      End: "last" }[event.key];
    if (target !== undefined) goTo(target, event.shiftKey);
    else if (event.key === "Escape") cancel();
    else if (event.key === "Enter" && index !== null) {
      const from = anchor ?? index;
      const [first, last] = [Math.min(from, index), Math.max(from, index)];
      cancel();
      chart.zoom(first, last);
    } else return;
    event.preventDefault();
  });
  area.addEventListener("blur", cancel);
  return cancel;
}
