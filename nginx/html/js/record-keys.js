// The keyboard in the table of records: the arrows walk from row to row, Enter opens the receipt
// because each row has a button.

/** Listens in `body`, the rows' parent, for `table`. */
export function startKeys(table, body) {
  body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    if (!row || event.ctrlKey || event.altKey || event.metaKey) return;
    const index = Number(row.dataset.index);
    const target = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + table.rowsInView,
      PageUp: index - table.rowsInView,
      Home: 0,
      End: table.count - 1,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    table.focusRow(target);
  });
  body.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr");
    if (row?.dataset.index) table.active = Number(row.dataset.index);
  });
}
