// The API key of this tab. It is never written anywhere but into session storage.

import { show } from "./focus.js";

const NAME = "orbital-key";
const element = (id) => document.getElementById(id);

export const storedKey = () => sessionStorage.getItem(NAME);

/** Calls `onKey` when somebody signs in. */
export function startSignIn(onKey) {
  element("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = element("key").value.trim();
    // A header cannot carry anything else, and a key is nothing else.
    if (!/^[\x21-\x7e]+$/.test(key)) {
      element("sign-in-reason").textContent =
        "This is not an API key. A key starts with orb_ and has no spaces.";
      return;
    }
    sessionStorage.setItem(NAME, key);
    element("key").value = "";
    onKey();
  });
  element("sign-out").addEventListener("click", () => {
    sessionStorage.removeItem(NAME);
    // Nothing of what the key has read stays, on the page or in its memory.
    location.reload();
  });
}

/** Asks for a key, and says why. */
export function askForKey(reason) {
  const isNew = element("sign-in").hidden;
  element("sign-in-reason").textContent = reason;
  element("sign-in").hidden = false;
  element("sign-out").hidden = true;
  // Nobody's focus is taken away while the form stays.
  if (isNew) element("key").focus();
}

export function showSignedIn() {
  show(element("sign-in"), false);
  element("sign-out").hidden = storedKey() === null;
}
