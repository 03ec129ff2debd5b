// The numbers of the bar that the pointer or the keyboard is on.

import { bucketText, count, counted, credits } from "../shared/format.js";

/** The pixels between the bar and its tip, and between the tip and the edge of the chart. */
const DISTANCE = 10, MARGIN = 2;

function line(text, name) {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  return element;
}

/** A bucket's messages; `reports` is the number of messages that have a report. */
const messagesText = ({ messages, reports }) =>
  `${counted(messages, "message")}, ${count(reports)} with a report`;

/** The groups of a bucket that have credits, with their names and credits. */
const partsOf = (groups, index) => (groups.length > 1 || groups[0]?.sum
  ? groups.filter(({ series }) => Number(series[index]) !== 0)
    .map(({ name, colour, series }) => ({ name, colour, text: credits(series[index]) }))
  : []);

/** A bucket in one sentence, for screen readers. */
export function sentence({ buckets, groups, granularity }, index) {
  const bucket = buckets[index];
  const parts = partsOf(groups, index).map(({ name, text }) => `; ${name}: ${text}`);
  return `${bucketText(buckets, index, granularity)}: ${credits(bucket.credits_used)} credits, `
    + messagesText(bucket) + parts.join("");
}

function groupLine({ name, colour, text }) {
  const row = line("", "part");
  row.style.setProperty("--colour", `var(${colour})`);
  row.append(line(name, "name"), line(text, "sum"));
  return row;
}

export class Tip {
  #chart;
  #tip;
  #band = document.createElement("div");
  /** The bucket that it shows, or null. */
  index = null;

  constructor(element, chart) {
    this.#chart = chart;
    this.#tip = element.querySelector(".tip");
    this.#band.className = "band";
  }

  /** Shows the same bar again, whose numbers may have changed. */
  refresh(plot) { this.show(plot, this.index); }

  /** Shows the bucket at `index` beside its bar; null hides the tip. */
  show(plot, index) {
    this.index = index;
    const { buckets, groups, granularity } = this.#chart;
    const bucket = buckets[index];
    this.#tip.hidden = this.#band.hidden = !bucket;
    if (!bucket) return;
    if (this.#band.parentNode !== plot.under) plot.under.append(this.#band);
    const left = plot.valToPos(index - 0.5, "x");
    const right = plot.valToPos(index + 0.5, "x");
    this.#band.style.left = `${left}px`;
    this.#band.style.width = `${right - left}px`;
    this.#tip.replaceChildren(
      line(bucketText(buckets, index, granularity), "when"),
      line(`${credits(bucket.credits_used)} credits`, "what"),
      ...partsOf(groups, index).map(groupLine),
      line(messagesText(bucket), "more"),
    );
    this.#place(plot, (left + right) / 2, this.#chart.barWidth(plot) / 2);
  }

  /** Beside the bar, on the side with more room, and never wider than that side. */
  #place(plot, middle, half) {
    const { offsetLeft } = plot.over;
    const before = offsetLeft + middle - half - DISTANCE - MARGIN;
    const after = plot.width - (offsetLeft + middle + half + DISTANCE) - MARGIN;
    const isBefore = before > after;
    this.#tip.style.maxWidth = `${Math.floor(Math.max(before, after))}px`;
    const place = isBefore ? MARGIN + before - this.#tip.offsetWidth : plot.width - MARGIN - after;
    this.#tip.style.transform = `translate(${Math.round(place)}px, 8px)`;
  }
}
