// What the bar under the pointer, or under the keyboard, stands for.

import { bucketText, counted, credits } from "./format.js";

function line(text, name) {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  return element;
}

/** A bucket in one sentence, for those who hear it. */
export function sentence(buckets, index, granularity) {
  const bucket = buckets[index];
  return `${bucketText(buckets, index, granularity)}: ${credits(bucket.credits_used)} credits, `
    + `${counted(bucket.messages, "message")}, ${counted(bucket.reports, "report")}`;
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

  /** The bars are the same, and their numbers may not be. */
  refresh(plot) { this.show(plot, this.#index); }

  /** Shows the bucket at `index` beside its bar; null shows none. */
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
      line(`${counted(bucket.messages, "message")}, ${counted(bucket.reports, "report")}`, "more"),
    );
    const middle = plot.over.offsetLeft + (left + right) / 2;
    const isRight = middle > plot.width / 2;
    const place = isRight ? middle - this.#tip.offsetWidth - 12 : middle + 12;
    this.#tip.style.transform = `translate(${Math.round(Math.max(0, place))}px, 8px)`;
  }
}
