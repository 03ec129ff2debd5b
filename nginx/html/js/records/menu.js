// A menu: a popover below the button that opens it.

/** In pixels: the width, the distance to the button, and to the edge of the window. */
const WIDTH = 260, DISTANCE = 6, MARGIN = 12;

/** Makes `button` open and close `menu`. */
export function attachMenu(button, menu) {
  button.popoverTargetElement = menu;
  menu.addEventListener("beforetoggle", ({ newState }) => {
    button.ariaExpanded = newState === "open";
    const { left, right, bottom } = button.getBoundingClientRect();
    const hasRoom = left + WIDTH <= document.documentElement.clientWidth - MARGIN;
    menu.style.left = `${(hasRoom ? left : Math.max(MARGIN, right - WIDTH)) + scrollX}px`;
    menu.style.top = `${bottom + DISTANCE + scrollY}px`;
  });
}
