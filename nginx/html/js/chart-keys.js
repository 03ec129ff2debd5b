// The keyboard in the chart: what the pointer can read and choose, the arrows can.

import { sentence } from "./tip.js";

/** Listens in `element` for `chart`; returns a function that ends reading and selecting. */
export function startKeys(element, chart) {
  const readout = document.getElementById("chart-readout");
  let index = null;
  let anchor = null;

  const letGo = () => {
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
    readout.textContent = range + sentence(chart.buckets, index, chart.granularity);
  };

  element.addEventListener("keydown", (event) => {
    if (chart.buckets.length === 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    const target = { ArrowRight: 1, ArrowLeft: -1, PageDown: 7, PageUp: -7, Home: "first",
      End: "last" }[event.key];
    if (target !== undefined) goTo(target, event.shiftKey);
    else if (event.key === "Escape") letGo();
    else if (event.key === "Enter" && index !== null) {
      const from = anchor ?? index;
      const [first, last] = [Math.min(from, index), Math.max(from, index)];
      letGo();
      chart.zoom(first, last);
    } else return;
    event.preventDefault();
  });
  element.addEventListener("blur", letGo);
  return letGo;
}
