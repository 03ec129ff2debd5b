// The bar chart: one bar for each bucket. All bars have the same width, also a day of 23 hours.

import { compact, records } from "../shared/format.js";
import { MOST_GROUPS } from "../view/colours.js";
import { startKeys } from "./keys.js";
import { drawLines } from "./lines.js";
import { colour } from "./paint.js";
import { stacked } from "./stack.js";
import { ticksOf } from "./ticks.js";
import { Tip } from "./tip.js";

/** The share of a bar in the distance between two bars, and its largest width in pixels. */
const SHARE = 0.72, WIDEST = 56;
/** Narrower bars have fractional pixels, so that gaps are even; wider bars have sharp edges. */
const SHARP_FROM = 10;
/** The pixels between two groups of a bar that is not narrow. */
const GAP = 1;
/** With the sum of the other groups. */
const LAYERS = MOST_GROUPS + 1;

/** The width of all bars in the canvas's pixels, how it is rounded, and the gap between groups. */
function widthOf(plot) {
  const pitch = plot.valToPos(1, "x", true) - plot.valToPos(0, "x", true);
  const isSharp = pitch >= SHARP_FROM;
  const round = (pixels) => (isSharp ? Math.round(pixels) : pixels);
  const width = Math.max(1, round(Math.min(pitch * SHARE, WIDEST * devicePixelRatio)));
  return { round, width, line: isSharp ? GAP : 0 };
}

/** The parts of one group in all bars, as a path; uPlot's own loses narrow gaps. */
function barsOf({ layers, last }, layer, plot, first, end) {
  const fill = new Path2D();
  const { starts, ends } = layers[layer];
  const at = (value, scale) => plot.valToPos(value, scale, true);
  const { round, width, line } = widthOf(plot);
  const radius = Math.min(4 * devicePixelRatio, width * 0.15);
  for (let index = first; index <= end; index += 1) {
    if (ends[index] === starts[index]) continue;
    const [one, other] = [at(starts[index], "y"), at(ends[index], "y")].map(Math.round);
    const [low, high] = one > other ? [other, one] : [one, other];
    const isLast = last[index] === layer;
    // A line separates two groups; but the smallest bar is still visible.
    const gap = isLast || layers.length === 1 ? 0 : line;
    const height = Math.max(isLast ? 1 : 0, high - low - gap);
    if (height === 0) continue;
    const top = ends[index] > starts[index] ? high - height : low;
    fill.roundRect(round(at(index, "x") - width / 2), top, width, height,
      isLast ? [radius, radius, 0, 0] : 0);
  }
  return { fill };
}

export class Chart {
  #element;
  #plot = null;
  #tip;
  #cancel;
  #stack = stacked([], 0);
  buckets = [];
  groups = [];
  #lines = [];
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
      this.#plot?.setSize(this.#size());
      if (this.#plot) this.#tip.refresh(this.#plot);
    }).observe(element);
  }

  /** Shows the buckets of a summary; each bar consists of `groups`, the first at the bottom. */
  show({ totals, buckets: all, granularity }, groups) {
    if (!globalThis.uPlot) return this.#showMissing();
    // Without records, the chart has no axis.
    const buckets = records(totals) > 0 ? all : [];
    const isOther = granularity !== this.granularity || buckets.length !== this.buckets.length
      || buckets[0]?.start !== this.buckets[0]?.start;
    this.buckets = buckets;
    this.granularity = granularity;
    this.groups = groups;
    this.#stack = stacked(groups, buckets.length);
    const nothing = new Array(buckets.length).fill(0);
    const data = [
      buckets.map((_, index) => index),
      ...Array.from({ length: LAYERS }, (_, layer) => this.#stack.layers[layer]?.ends ?? nothing),
    ];
    if (this.#plot) this.#plot.setData(data);
    else this.#start(data);
    this.#plot.root.hidden = buckets.length === 0;
    if (isOther) this.#reset();
    else this.#tip.refresh(this.#plot);
  }

  /** Shows a line for each budget, at the credits that a bar may have. */
  showLines(budgets) {
    this.#lines = budgets.map(({ name, credits }) => ({ name, credits: Number(credits) }));
    this.#plot?.redraw(false, true);
    this.#plot?.setScale("y", { min: null, max: null });
  }

  #start(data) {
    this.#plot = new uPlot(this.#options(), data, this.#element);
    const { over } = this.#plot;
    let read = null;
    over.addEventListener("pointerdown", ({ pointerType }) => {
      // A finger reads a bar with its first tap, and zooms with the second.
      read = pointerType === "touch" ? this.#tip.index : undefined;
      // A click beside an open list closes it, and does nothing else.
      if (document.querySelector(":popover-open")) read = null;
    });
    over.addEventListener("click", ({ offsetX }) => {
      const index = this.#bucketAt(offsetX);
      if (this.buckets.length > 1 && (read === undefined || read === index)) {
        this.zoom(index, index);
      }
    });
  }

  #bucketAt(position) {
    const index = Math.round(this.#plot.posToVal(position, "x"));
    return Math.max(0, Math.min(this.buckets.length - 1, index));
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

  /** The width of a bar in the page's pixels. */
  barWidth(plot) { return widthOf(plot).width / devicePixelRatio; }

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

  #size() {
    return { width: this.#element.clientWidth, height: this.#element.clientHeight };
  }

  #options() {
    const paint = (name) => () => colour(this.#element, name);
    const axis = {
      stroke: paint("--muted"), font: `12px ${getComputedStyle(this.#element).fontFamily}`,
      ticks: { show: false },
    };
    return {
      ...this.#size(),
      // On the right, half of the last label needs space.
      padding: [8, 24, 0, 0],
      legend: { show: false },
      cursor: {
        y: false, x: false, points: { show: false },
        drag: { x: true, y: false, setScale: false },
      },
      scales: {
        x: { time: false, range: () => [-0.5, Math.max(0.5, this.buckets.length - 0.5)] },
        y: {
          range: () => {
            const { least } = this.#stack;
            const most = Math.max(this.#stack.most, ...this.#lines.map(({ credits }) => credits));
            return [least * 1.08, most > 0 || least < 0 ? most * 1.08 : 1];
          },
        },
      },
      series: [{}, ...Array.from({ length: LAYERS }, (_, layer) => ({
        paths: (plot, _series, first, end) => (layer < this.groups.length
          ? barsOf(this.#stack, layer, plot, first, end) : null),
        fill: () => colour(this.#element, this.groups[layer]?.colour ?? "--accent"),
        width: 0, points: { show: false },
      }))],
      axes: [
        {
          ...axis, size: 44, gap: 6, grid: { show: false },
          splits: (plot) => ticksOf(this, plot.width).map((tick) => tick.index),
          values: (plot) => ticksOf(this, plot.width).map((tick) => tick.text),
        },
        {
          ...axis, size: 56, gap: 8, space: 44, values: (_, numbers) => this.#amounts(numbers),
          grid: { stroke: paint("--line"), width: 1 },
        },
      ],
      hooks: {
        draw: [(plot) => drawLines(plot, this.#lines, this.#element)],
        setCursor: [(plot) => this.point(plot.cursor.left < 0 ? null : plot.cursor.idx)],
        setSelect: [(plot) => this.#dragged(plot)],
      },
    };
  }

  /** The labels of the grid lines; if no credits were used, only zero has a label. */
  #amounts(numbers) {
    const isUsed = this.#stack.most > 0 || this.#stack.least < 0;
    return numbers.map((number) => (isUsed || number === 0 ? compact(number) : ""));
  }

  #dragged({ select }) {
    if (select.width < 4) return;
    this.zoom(this.#bucketAt(select.left), this.#bucketAt(select.left + select.width));
  }
}
