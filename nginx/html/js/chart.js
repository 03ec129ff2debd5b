// The bar chart: one bar for each bucket, of equal width, for a day of 23 hours is a day.

import { bars } from "./bars.js";
import { startKeys } from "./chart-keys.js";
import { compact } from "./format.js";
import { ticksOf } from "./ticks.js";
import { Tip } from "./tip.js";

const HEIGHT = 300;

/** The colour of a custom property as it is now, light or dark. */
function colour(element, name) {
  element.style.setProperty("color", `var(${name})`);
  const value = getComputedStyle(element).color;
  element.style.removeProperty("color");
  return value;
}

export class Chart {
  #element;
  #plot = null;
  #tip;
  #letGo;
  buckets = [];
  granularity = "day";
  #onZoom;

  /** `onZoom(first, last)` hears which buckets somebody has chosen. */
  constructor(element, onZoom) {
    this.#element = element;
    this.#onZoom = onZoom;
    this.#tip = new Tip(element, this);
    this.#letGo = startKeys(element, this);
    const repaint = () => this.#plot?.redraw(false, true);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    // Paper is light, which no change of the scheme says.
    for (const [moment, scheme] of [["beforeprint", "light"], ["afterprint", ""]]) {
      addEventListener(moment, () => {
        document.documentElement.style.colorScheme = scheme;
        repaint();
      });
    }
    new ResizeObserver(() => {
      this.#plot?.setSize({ width: element.clientWidth, height: HEIGHT });
    }).observe(element);
  }

  show({ totals, buckets: all, granularity }) {
    if (!globalThis.uPlot) return this.#apologise();
    // Without messages there is nothing to measure, and so no axis.
    const buckets = totals.messages > 0 ? all : [];
    const areOthers = granularity !== this.granularity || buckets.length !== this.buckets.length
      || buckets[0]?.start !== this.buckets[0]?.start;
    this.buckets = buckets;
    this.granularity = granularity;
    const data = [
      buckets.map((_, index) => index), buckets.map((each) => Number(each.credits_used)),
    ];
    if (this.#plot) this.#plot.setData(data);
    else this.#plot = new uPlot(this.#options(), data, this.#element);
    this.#plot.root.hidden = buckets.length === 0;
    if (areOthers) this.#forget();
    else this.#tip.refresh(this.#plot);
  }

  /** Clears the tip and the selection until the pointer moves or a key is pressed. */
  #forget() {
    this.#letGo();
    this.#plot.setCursor({ left: -10, top: -10 });
  }

  /** deploy/assets fetches the library; an installation may have forgotten to. */
  #apologise() {
    if (this.#element.querySelector(".missing")) return;
    const note = document.createElement("p");
    note.className = "empty missing";
    note.textContent = "The chart cannot be drawn: /assets/uplot.js is missing. "
      + "The table below has the same numbers.";
    this.#element.append(note);
  }

  /** Reads one bar out, as if the pointer were on it; null reads none. */
  point(index) {
    this.#tip.show(this.#plot, index);
  }

  /** Marks the bars from one to another. */
  select(first, last) {
    const left = this.#plot.valToPos(first - 0.5, "x");
    const right = this.#plot.valToPos(last + 0.5, "x");
    const height = this.#plot.over.clientHeight;
    this.#plot.setSelect({ left, width: right - left, top: 0, height }, false);
  }

  deselect() {
    this.#plot?.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  }

  zoom(first, last) {
    this.deselect();
    this.point(null);
    this.#onZoom(first, last);
  }

  #options() {
    const paint = (name) => () => colour(this.#element, name);
    const axis = {
      stroke: paint("--muted"), font: `12px ${getComputedStyle(this.#element).fontFamily}`,
      ticks: { show: false },
    };
    return {
      width: this.#element.clientWidth,
      height: HEIGHT,
      // On the right, room for half of the last label.
      padding: [8, 24, 0, 0],
      legend: { show: false },
      cursor: {
        y: false, x: false, points: { show: false },
        drag: { x: true, y: false, setScale: false },
      },
      scales: {
        x: { time: false, range: () => [-0.5, Math.max(0.5, this.buckets.length - 0.5)] },
        y: { range: (_, _least, most) => [0, most > 0 ? most * 1.08 : 1] },
      },
      series: [{}, {
        paths: bars, fill: paint("--accent"), width: 0, points: { show: false },
      }],
      axes: [
        {
          ...axis, size: 44, gap: 6, grid: { show: false },
          splits: (plot) => ticksOf(this, plot.width).map((tick) => tick.index),
          values: (plot) => ticksOf(this, plot.width).map((tick) => tick.text),
        },
        {
          ...axis, size: 56, gap: 8, values: (plot, numbers) => this.#amounts(plot, numbers),
          grid: { stroke: paint("--line"), width: 1 },
        },
      ],
      hooks: {
        setCursor: [(plot) => this.point(plot.cursor.left < 0 ? null : plot.cursor.idx)],
        setSelect: [(plot) => this.#dragged(plot)],
      },
    };
  }

  /** The labels of the grid lines; if no credits were used, only zero has one. */
  #amounts({ data }, numbers) {
    const isUsed = data[1].some((value) => value > 0);
    return numbers.map((number) => (isUsed || number === 0 ? compact(number) : ""));
  }

  #dragged({ select, posToVal }) {
    if (select.width < 4) return;
    const last = this.buckets.length - 1;
    const index = (position) => Math.max(0, Math.min(last, Math.round(posToVal(position, "x"))));
    this.zoom(index(select.left), index(select.left + select.width));
  }
}
