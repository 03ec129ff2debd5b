// The focus must not fall to the top of the page with what has it.

/** Hides an element; the focus, if it is there, goes to `heir`. */
export function hide(element, heir = document.getElementById("main")) {
  const hadFocus = element.contains(document.activeElement);
  element.hidden = true;
  if (hadFocus) heir.focus({ preventScroll: true });
}
