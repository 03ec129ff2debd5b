if (typeof SwaggerUIBundle === "undefined") {
  document.getElementById("description").textContent =
    "The API documentation cannot be shown: /assets/swagger-ui-bundle.js is missing.";
}

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#description",
  deepLinking: true,
  // Without this, Swagger UI sends the description to a validator on the internet.
  validatorUrl: null,
});

// Swagger UI's dark colours follow the system's setting.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const all = (selector, action) => document.querySelectorAll(selector).forEach(action);
const level = (selector, number) =>
  all(selector, (heading) => heading.setAttribute("aria-level", number));

/** Adds the roles and the names that Swagger UI leaves out, for screen readers. */
function introduce(selector, role, name) {
  all(selector, (element) => {
    if (role) element.setAttribute("role", role);
    if (!element.hasAttribute("aria-label")) element.setAttribute("aria-label", name(element));
  });
}

/** The name of a control or a table: its parameter or status, and its operation. */
function subject(element) {
  const operation = element.closest(".opblock")?.querySelector(".opblock-summary-control");
  const part = element.closest("[data-param-name]")?.dataset.paramName
    ?? element.closest("[data-code]")?.dataset.code;
  const place = operation?.querySelector(".opblock-summary-path")?.dataset.path;
  return [part ?? (element.id || "example"), place].filter(Boolean).join(", ");
}

/** Fixes the parts of Swagger UI that are hard to use with a keyboard or a screen reader. */
function fix() {
  introduce(".information-container", "region", () => "About this API");
  introduce(".scheme-container", "region", () => "Server and key");
  introduce(".modal-ux", "dialog", () => "Keys");
  introduce(".close-modal", null, () => "Close");
  introduce("table[role=region]", null, (table) => `Responses, ${subject(table)}`);
  introduce("select, input, textarea", null, subject);
  level(".opblock-tag, .models > h4, .modal-ux-header h3", 2);
  level(".opblock-body h4, .opblock-body h5, .modal-ux-content h4", 3);
  // A link inside a button is invalid; the button opens the same operation.
  all(".opblock-summary-control a[href]", (link) => link.removeAttribute("href"));
  // Wide code must be scrollable by keyboard, too.
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
