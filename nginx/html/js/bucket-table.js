// The chart's numbers as a table, built only when a reader opens it.

import { bucketText, count, credits } from "./format.js";

const HEADS = ["When", "Credits", "Messages", "With a report"];

function tableOf({ buckets, granularity }) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const text of HEADS) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = text;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const [index, bucket] of buckets.entries()) {
    const row = body.insertRow();
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = bucketText(buckets, index, granularity);
    row.append(name);
    row.insertCell().textContent = credits(bucket.credits_used);
    row.insertCell().textContent = count(bucket.messages);
    row.insertCell().textContent = count(bucket.reports);
  }
  return table;
}

export class BucketTable {
  #details;
  #summary = null;

  constructor(details) {
    this.#details = details;
    details.addEventListener("toggle", () => this.#render());
  }

  show(summary) {
    this.#summary = summary;
    this.#render();
  }

  #render() {
    const place = this.#details.querySelector(".twin");
    if (this.#details.open && this.#summary) place.replaceChildren(tableOf(this.#summary));
    else place.replaceChildren();
  }
}
