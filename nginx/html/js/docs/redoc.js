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

// The search needs a worker from a blob, which the Content-Security-Policy forbids.
const options = { disableSearch: true, nativeScrollbars: true, expandResponses: "200,201" };
Redoc.init("/openapi.json", options, page);
