"""The accessibility faults that axe finds in a page."""

from axe_playwright_python.sync_playwright import Axe

# Passed checks are not reported: for thousands of elements, the report takes seconds.
OPTIONS = {"resultTypes": ["violations"]}

# Checking the contrast of a text takes milliseconds, and hundreds of texts of the documentation look alike. So of the
# texts whose elements have the same classes, colours and size, from the root down, only one is marked.
MARK = """() => {
    const looks = new Map([[null, ""]]), numbers = new Map();
    const look = element => {
        if (!looks.has(element)) {
            const style = getComputedStyle(element);
            const own = [look(element.parentElement), element.localName, element.getAttribute("class"), style.color,
                style.backgroundColor, style.backgroundImage, style.opacity, style.fontSize, style.fontWeight].join();
            if (!numbers.has(own)) numbers.set(own, numbers.size);
            looks.set(element, numbers.get(own));
        }
        return looks.get(element);
    };
    const seen = new Set();
    for (const element of document.querySelectorAll("body, body *")) {
        const hasText = [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
        const isField = ["input", "select", "textarea"].includes(element.localName);
        if (!hasText && !isField || !element.checkVisibility({ visibilityProperty: true }) || seen.has(look(element))) continue;
        seen.add(look(element));
        element.dataset.look = "";
    }
}"""
UNMARK = "() => document.querySelectorAll('[data-look]').forEach(element => delete element.dataset.look)"


def barriers(page):
    """The violated rules, each with some of the elements that violate it."""
    found = Axe().run(page, options=OPTIONS | {"rules": {"color-contrast": {"enabled": False}}}).response["violations"]
    page.evaluate(MARK)
    found += Axe().run(page, {"include": [["[data-look]"]]}, OPTIONS | {"runOnly": ["color-contrast"]}).response["violations"]
    page.evaluate(UNMARK)
    return [(fault["id"], [node["html"][:200] for node in fault["nodes"]][:3]) for fault in found]
