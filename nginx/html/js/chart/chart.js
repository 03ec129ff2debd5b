// The bar chart: one bar for each bucket. All bars have the same width, also a day of 23 hours.

import { compact } from "../shared/format.js";
import { startKeys } from "./keys.js";
import { ticksOf } from "./ticks.js";
import { Tip } from "./tip.js";

const HEIGHT = 300;
/** The share of a bar in the distance between two bars, and its largest width in pixels. */
const SHARE = 0.72, WIDEST = 56;
/** Narrower bars have fractional pixels, so that gaps are even; wider bars have sharp edges. */
const SHARP_FROM = 10;

/** uPlot's path builder: a bar for each value except zero; uPlot's own loses narrow gaps. */
function bars(plot, series, first, last) {
  const fill = new Path2D();
  const at = (value, scale) => plot.valToPos(value, scale, true);
  const floor = at(0, "y");
  const pitch = at(1, "x") - at(0, "x");
  const isSharp = pitch >= SHARP_FROM;
  const round = (pixels) => (isSharp ? Math.round(pixels) : pixels);
  const width = Math.max(1, round(Math.min(pitch * SHARE, WIDEST * devicePixelRatio)));
  const radius = Math.min(4 * devicePixelRatio, width * 0.15);
  for (let index = first; index <= last; index += 1) {
    const value = plot.data[series][index];
    if (value === 0) continue;
    // The smallest value is still visible.
    const height = Math.max(1, Math.round(floor - at(value, "y")));
    fill.roundRect(
      round(at(index, "x") - width / 2), floor - height, width, height, [radius, radius, 0, 0]);
  }
  return { fill };
}

/** The current colour of a custom property, in the light or the dark scheme. */
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
  #cancel;
  buckets = [];
  granularity = "day";
  #onZoom;

  /** Calls `onZoom(first, last)` with the buckets that the user has selected. */
  constructor(element, onZoom) {
    this.#element = element;
    this.#onZoom = onZoom;
    this.#tip = new Tip(element, this);
    this.#cancel = startKeys(element, this);
    const repaint = () => this.#plot?.redraw(false, true);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    // Printing uses the light scheme without an event of the media query.
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
    if (!globalThis.uPlot) return this.#showMissing();
    // Without messages, the chart has no axis.
    const buckets = totals.messages > 0 ? all : [];
    const isOther = granularity !== this.granularity || buckets.length !== this.buckets.length
      || buckets[0]?.start !== this.buckets[0]?.start;
    this.buckets = buckets;
    this.granularity = granularity;
    const data = [
      buckets.map((_, index) => index), buckets.map((each) => Number(each.credits_used)),
    ];
    if (this.#plot) this.#plot.setData(data);
    else this.#plot = new uPlot(this.#options(), data, this.#element);
    this.#plot.root.hidden = buckets.length === 0;
    if (isOther) this.#reset();
    else this.#tip.refresh(this.#plot);
  }

  /** Clears the tip and the selection until the pointer moves or a key is pressed. */
  #reset() {
    this.#cancel();
    this.#plot.setCursor({ left: -10, top: -10 });
  }

  /** The library is downloaded separately, so an installation may lack it. */
  #showMissing() {
    if (this.#element.querySelector(".missing")) return;
    const note = document.createElement("p");
    note.className = "empty missing";
    note.textContent = "The chart cannot be drawn: /assets/uplot.js is missing. "
      + "The table below has the same numbers.";
    this.#element.append(note);
  }

  /** Shows the tip of a bar, as if the pointer were on it; null hides it. */
  point(index) {
    this.#tip.show(this.#plot, index);
  }

  /** Marks a range of bars. */
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
      // On the right, half of the last label needs space.
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

  /** The labels of the grid lines; if no credits were used, only zero has a label. */
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
