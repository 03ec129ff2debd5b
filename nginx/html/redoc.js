// ReDoc's sidebar asks a CDN for its maker's logo. Nothing that this page does leaves the machine:
// an image from elsewhere fails before it is asked for, and ReDoc shows its words alone. React sets
// the address both ways.
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

// ReDoc goes from headings of level 2 to those of level 5.
const page = document.getElementById("description");
new MutationObserver(() => {
  page.querySelectorAll("h5").forEach((heading) => heading.setAttribute("aria-level", "3"));
}).observe(page, { childList: true, subtree: true });

if (typeof Redoc === "undefined") {
  page.textContent =
    "The API reference cannot be shown: /assets/redoc.standalone.js is missing.";
}

// Search would need a worker made of a blob, which the page's policy does not allow.
const options = { disableSearch: true, nativeScrollbars: true, expandResponses: "200,201" };
Redoc.init("/openapi.json", options, page);
