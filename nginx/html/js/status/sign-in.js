// The sign-in form, which asks for an API key where the service requires one.

import { storedKey, storeKey } from "../shared/api.js";
import { element, show } from "../shared/dom.js";
import { forgetColours } from "../view/colours.js";

/** Whether the user has just entered a key. */
let isEntered = false;

/** Calls `onKey` after the user has entered a key. */
export function startSignIn(onKey) {
  element("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = element("key").value.trim();
    // A request header with any other character would be refused by the browser.
    if (!/^[\x21-\x7e]+$/.test(key)) {
      refuse("This is not an API key. A key starts with orb_ and has no spaces.");
      return;
    }
    storeKey(key);
    element("key").value = "";
    isEntered = true;
    onKey();
  });
  element("sign-out").addEventListener("click", () => {
    storeKey(null);
    forgetColours();
    // Removes everything that was read with the key, from the page and from memory.
    location.reload();
  });
}

/** Shows the form with the reason why a key is required, or why the tab's key is refused. */
export function askForKey(reason) {
  const isNew = element("sign-in").hidden;
  element("sign-in").hidden = false;
  element("sign-out").hidden = true;
  if (storedKey() !== null) refuse(reason, isNew || isEntered);
  else {
    element("sign-in-reason").textContent = reason;
    if (isNew) element("key").focus();
  }
  isEntered = false;
}

/** Says why a key is refused. Later polls fail, too, and must not move the focus again. */
function refuse(reason, mayFocus = true) {
  element("sign-in-reason").textContent = reason;
  mark(true);
  if (mayFocus) element("key").focus();
}

function mark(isRefused) {
  element("sign-in").dataset.refused = element("key").ariaInvalid = isRefused;
}

export function showSignedIn() {
  show(element("sign-in"), false);
  isEntered = false;
  mark(false);
  element("sign-out").hidden = storedKey() === null;
}
