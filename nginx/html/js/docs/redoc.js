// ReDoc's sidebar loads a logo from a CDN. This page must not send requests elsewhere, so such an
// image fails before the request, and ReDoc shows a text. React sets the address in both ways.
Object.defineProperties(HTMLImageElement.prototype, {
  setAttribute: {
    value(name, value) {
      if (name === "src" && new URL(value, location.href).origin !== location.origin) {
        queueMicrotask(() => this.dispatchEvent(new Event("error")));
      } else {
        Element.prototype.setAttribute.call(this, name, value);
      }
    },
  },
  src: {
    get() { return this.getAttribute("src") ?? ""; },
    set(value) { this.setAttribute("src", value); },
  },
});

// ReDoc skips from headings of level 2 to level 5.
const page = document.getElementById("description");
new MutationObserver(() => {
  page.querySelectorAll("h5").forEach((heading) => heading.setAttribute("aria-level", "3"));
}).observe(page, { childList: true, subtree: true });

if (typeof Redoc === "undefined") {
  page.textContent =
    "The API reference cannot be shown: /assets/redoc.standalone.js is missing.";
}

const dark = matchMedia("(prefers-color-scheme: dark)");
/** ReDoc is light unless its theme says otherwise; these are the colours of the other pages. */
const DARK = {
  colors: {
    primary: { main: "#8aa4ff" }, success: { main: "#56cf92" }, warning: { main: "#f0b64f" },
    error: { main: "#ff8f85" }, gray: { 50: "#212833", 100: "#2a323e" },
    text: { primary: "#e8ecf2", secondary: "#9aa6b8" },
    border: { dark: "#2a323e", light: "#2a323e" },
    responses: {
      success: { color: "#56cf92", backgroundColor: "#17291f", tabTextColor: "#56cf92" },
      error: { color: "#ff8f85", backgroundColor: "#311d1f", tabTextColor: "#ff8f85" },
      redirect: { color: "#f0b64f", backgroundColor: "#33290f" },
      info: { color: "#8aa4ff", backgroundColor: "#232c4a" },
    },
  },
  schema: {
    linesColor: "#667286", typeNameColor: "#9aa6b8", typeTitleColor: "#9aa6b8",
    requireLabelColor: "#ff8f85", nestedBackground: "#171c24",
  },
  typography: {
    code: { color: "#ffb4ab", backgroundColor: "#212833" },
    links: { color: "#8aa4ff", visited: "#8aa4ff", hover: "#b4c4ff" },
  },
  sidebar: {
    backgroundColor: "#171c24", textColor: "#e8ecf2", activeTextColor: "#8aa4ff",
    groupItems: { activeBackgroundColor: "#212833", activeTextColor: "#8aa4ff" },
    level1Items: { activeBackgroundColor: "#212833", activeTextColor: "#8aa4ff" },
  },
  rightPanel: {
    backgroundColor: "#171c24",
    servers: {
      overlay: { backgroundColor: "#212833", textColor: "#e8ecf2" },
      url: { backgroundColor: "#0f1319" },
    },
  },
  codeBlock: { backgroundColor: "#0f1319" },
};
// A theme cannot be changed later.
dark.addEventListener("change", () => location.reload());

// The search needs a worker from a blob, which the Content-Security-Policy forbids.
const options = {
  disableSearch: true, nativeScrollbars: true, expandResponses: "200,201",
  theme: dark.matches ? DARK : {},
};
Redoc.init("openapi.json", options, page);
