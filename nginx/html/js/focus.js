// The focus must not fall to the top of the page with what has it.

/** Shows or hides an element; the focus of one that is hidden goes to `heir`. */
export function show(element, isShown, heir = document.getElementById("main")) {
  const hadFocus = element.contains(document.activeElement);
  element.hidden = !isShown;
  if (hadFocus && !isShown) heir.focus({ preventScroll: true });
}
