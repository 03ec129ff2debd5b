if (typeof SwaggerUIBundle === "undefined") {
  document.getElementById("description").textContent =
    "The API documentation cannot be shown: /assets/swagger-ui-bundle.js is missing.";
}

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#description",
  deepLinking: true,
  // Nothing of this page leaves the machine.
  validatorUrl: null,
});

// Swagger UI has a dark look of its own; the page follows the system's setting, and its changes.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const all = (selector, action) => document.querySelectorAll(selector).forEach(action);
const level = (selector, number) =>
  all(selector, (heading) => heading.setAttribute("aria-level", number));

/** Gives an element its role and its name, where Swagger UI leaves them to the eye. */
function introduce(selector, role, name) {
  all(selector, (element) => {
    if (role) element.setAttribute("role", role);
    if (!element.hasAttribute("aria-label")) element.setAttribute("aria-label", name(element));
  });
}

/** What a control or a table is about: a parameter or a status, and the operation. */
function subject(element) {
  const operation = element.closest(".opblock")?.querySelector(".opblock-summary-control");
  const part = element.closest("[data-param-name]")?.dataset.paramName
    ?? element.closest("[data-code]")?.dataset.code;
  const place = operation?.querySelector(".opblock-summary-path")?.dataset.path;
  return [part ?? (element.id || "example"), place].filter(Boolean).join(", ");
}

/** Fixes parts of Swagger UI that are hard to use with a keyboard or a screen reader. */
function fix() {
  introduce(".information-container", "region", () => "About this API");
  introduce(".scheme-container", "region", () => "Server and key");
  introduce(".modal-ux", "dialog", () => "Keys");
  introduce(".close-modal", null, () => "Close");
  introduce("table[role=region]", null, (table) => `Responses, ${subject(table)}`);
  introduce("select, input, textarea", null, subject);
  level(".opblock-tag, .models > h4, .modal-ux-header h3", 2);
  level(".opblock-body h4, .opblock-body h5, .modal-ux-content h4", 3);
  // A link inside a button; the button opens the same, and writes it into the address.
  all(".opblock-summary-control a[href]", (link) => link.removeAttribute("href"));
  // Code that is wider than its box must scroll by keyboard, too.
  all("pre.microlight", (code) => { code.tabIndex = 0; });
}

let isDue = false;
new MutationObserver(() => {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    fix();
  });
}).observe(document.getElementById("description"), { childList: true, subtree: true });
