// The visible rows of a long list. Browsers limit the height of an element to 17 to 33 million
// pixels; a longer list has a scroll bar for a part of it, which moves while the user scrolls.

/** The most rows of a part. */
const PART = 400_000;

export class ScrollWindow {
  #scroller;
  #part = 0;
  #count = 0;
  /** The row height that the scroll position is based on. */
  #scale;

  constructor(scroller) {
    this.#scroller = scroller;
    this.#scale = this.rowHeight;
  }

  onMove(action) {
    let isDue = false;
    const soon = () => {
      if (isDue) return;
      isDue = true;
      requestAnimationFrame(() => {
        isDue = false;
        this.#keepPlace();
        this.#movePart();
        action();
      });
    };
    this.#scroller.addEventListener("scroll", soon, { passive: true });
    new ResizeObserver(soon).observe(this.#scroller);
  }

  get rowHeight() {
    return parseFloat(getComputedStyle(this.#scroller).getPropertyValue("--row-height"));
  }

  get #height() {
    return this.#scroller.clientHeight - this.#scroller.querySelector("thead").offsetHeight;
  }

  get rowsInView() { return Math.max(1, Math.floor(this.#height / this.rowHeight)); }

  /** The pixels from the start of the whole list. */
  get top() { return this.#part * this.rowHeight + this.#scroller.scrollTop; }

  focus() { this.#scroller.focus({ preventScroll: true }); }

  toStart() {
    this.#part = 0;
    this.#scroller.scrollTop = 0;
  }

  moveBy(rows) { this.#scroller.scrollTop += rows * this.rowHeight; }

  /** Sets the length of the list. */
  fit(count) {
    this.#count = count;
    this.#part = Math.max(0, Math.min(this.#part, count - PART));
  }

  /** The first visible row and the one after the last, with `spare` more on both sides. */
  range(count, spare) {
    const first = Math.floor(this.top / this.rowHeight);
    const end = Math.ceil((this.top + this.#height) / this.rowHeight);
    return [
      Math.max(this.#part, Math.min(first, count) - spare),
      Math.min(count, this.#part + PART, end + spare),
    ];
  }

  /** Sets the heights that replace the missing rows before `first` and from `end` on. */
  setSpacers([before, after], first, end, count) {
    const last = Math.min(count, this.#part + PART);
    before.style.height = `${(first - this.#part) * this.rowHeight}px`;
    after.style.height = `${Math.max(0, last - end) * this.rowHeight}px`;
  }

  /** Scrolls no further than necessary to show the row. */
  reveal(index, count) {
    if (index < this.#part || index >= this.#part + PART) {
      this.#part = Math.max(0, Math.min(index - PART / 2, count - PART));
      this.#resize(count);
      this.#scroller.scrollTop = (index - this.#part) * this.rowHeight;
      return;
    }
    const top = (index - this.#part) * this.rowHeight;
    const bottom = top + this.rowHeight - this.#height;
    if (this.#scroller.scrollTop > top) this.#scroller.scrollTop = top;
    else if (this.#scroller.scrollTop < bottom) this.#scroller.scrollTop = bottom;
  }

  /** If the window's width has changed the height of rows, the same rows stay visible. */
  #keepPlace() {
    const { rowHeight } = this;
    if (rowHeight === this.#scale) return;
    const rows = this.#scroller.scrollTop / this.#scale;
    this.#scale = rowHeight;
    this.#resize(this.#count);
    this.#scroller.scrollTop = rows * rowHeight;
  }

  /** Moves to the next part near an end of this one. */
  #movePart() {
    const first = Math.floor(this.#scroller.scrollTop / this.rowHeight);
    let part = this.#part;
    if (first > PART * 0.9) part = Math.min(part + PART / 2, Math.max(0, this.#count - PART));
    else if (first < PART * 0.1) part = Math.max(0, part - PART / 2);
    if (part === this.#part) return;
    const moved = (part - this.#part) * this.rowHeight;
    this.#part = part;
    this.#resize(this.#count);
    this.#scroller.scrollTop -= moved;
  }

  /** Sets the height of the part, which is needed before scrolling into it. */
  #resize(count) {
    const body = this.#scroller.querySelector("tbody");
    const rows = Math.min(count - this.#part, PART);
    body.lastElementChild.style.height = `${rows * this.rowHeight}px`;
  }
}
