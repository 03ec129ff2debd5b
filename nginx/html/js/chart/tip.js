// The numbers of the bar that the pointer or the keyboard is on.

import { bucketText, count, counted, credits } from "../shared/format.js";

function line(text, name) {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  return element;
}

/** A bucket's messages; `reports` is the number of messages that have a report. */
const messagesText = ({ messages, reports }) =>
  `${counted(messages, "message")}, ${count(reports)} with a report`;

/** A bucket in one sentence, for screen readers. */
export function sentence(buckets, index, granularity) {
  const bucket = buckets[index];
  return `${bucketText(buckets, index, granularity)}: ${credits(bucket.credits_used)} credits, `
    + messagesText(bucket);
}

export class Tip {
  #chart;
  #tip;
  #band = document.createElement("div");
  #index = null;

  constructor(element, chart) {
    this.#chart = chart;
    this.#tip = element.querySelector(".tip");
    this.#band.className = "band";
  }

  /** Shows the same bar again, whose numbers may have changed. */
  refresh(plot) { this.show(plot, this.#index); }

  /** Shows the bucket at `index` beside its bar; null hides the tip. */
  show(plot, index) {
    this.#index = index;
    const { buckets, granularity } = this.#chart;
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
      line(messagesText(bucket), "more"),
    );
    const middle = plot.over.offsetLeft + (left + right) / 2;
    const isRight = middle > plot.width / 2;
    const width = this.#tip.offsetWidth;
    const place = isRight ? middle - width - 12 : middle + 12;
    const inside = Math.max(0, Math.min(plot.width - width, place));
    this.#tip.style.transform = `translate(${Math.round(inside)}px, 8px)`;
  }
}
