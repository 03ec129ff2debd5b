// Access to the document that every part of the page needs.

export const element = (id) => document.getElementById(id);

/** Shows or hides `part`; if it has the focus when it is hidden, the focus moves to `heir`. */
export function show(part, isShown, heir = element("main")) {
  const hadFocus = part.contains(document.activeElement);
  part.hidden = !isShown;
  if (hadFocus && !isShown) heir.focus({ preventScroll: true });
}

/** Gives a list `options` unless it has the same: replacing them would close an open list. */
export function fill(list, options) {
  const isSame = options.length === list.options.length && options.every((option, index) =>
    option.value === list.options[index].value && option.text === list.options[index].text);
  if (!isSame) list.replaceChildren(...options);
}
