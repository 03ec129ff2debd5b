// The columns of the table: which are shown, how wide the table is, and the menu to choose them.

import { element } from "../shared/dom.js";
import { fieldTitle, inOrder, OPTIONAL } from "../view/fields.js";
import { attachMenu } from "./menu.js";
import { kindOf } from "./rows.js";

/** With more columns, a phone shows the rows of the table and not two lines for each. */
const TWO_LINES = 7;

/** Calls `onChange` with the fields that the user chooses; null are the usual ones. */
export function startColumns(onChange) {
  element("column-list").append(...OPTIONAL.map((field) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.value = field;
    label.append(box, fieldTitle(field));
    return label;
  }));
  element("column-list").addEventListener("change", () => {
    const boxes = [...element("column-list").querySelectorAll("input:checked")];
    onChange(inOrder(boxes.map(({ value }) => value)));
  });
  element("columns-usual").addEventListener("click", () => onChange(null));
  attachMenu(element("columns-open"), element("columns"));
}

/** Shows which columns a resolved view has; `isUsual` says that nobody has chosen them. */
export function showColumns({ fields }, isUsual) {
  for (const box of element("column-list").querySelectorAll("input")) {
    box.checked = fields.includes(box.value);
  }
  element("columns-usual").ariaPressed = isUsual;
  const scroller = element("scroller");
  scroller.dataset.lines = fields.length <= TWO_LINES ? "two" : "one";
  for (const kind of ["time", "name", "number"]) {
    const number = fields.filter((field) => kindOf(field) === kind).length;
    scroller.style.setProperty(`--${kind}s`, number);
  }
}
