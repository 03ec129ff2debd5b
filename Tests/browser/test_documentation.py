"""Opens /docs, light and dark, and /redoc in Chromium, and uses them as a developer would."""

import json
import pathlib
import urllib.request

import pytest
from barriers import barriers
from orbital import CONTRACT_RECORDS

pytestmark = pytest.mark.full
START, FLAGS, RECORDS = {}, [], CONTRACT_RECORDS

DOCUMENT = json.loads((pathlib.Path(__file__).parents[2] / "nginx/html/openapi.json").read_text())
OPERATIONS = sorted(
    (method.upper(), path, operation["summary"])
    for path, operations in DOCUMENT["paths"].items() for method, operation in operations.items())
VIOLATIONS = "addEventListener('securitypolicyviolation', (v) => console.error(v.violatedDirective, v.blockedURI))"
SHOWN_RECORDS = [
    {"message_id": 1, "timestamp": "2024-01-15T14:30:00Z", "report_name": "Contract Analysis", "credits_used": 15.6},
    {"message_id": 2, "timestamp": "2024-01-15T15:45:00Z", "credits_used": 8.2}]
REDOC_STYLES = " 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' 'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"


class Page:
    """A page with everything that it complained about, and everything that it asked for."""

    def __init__(self, browser, url, path, scheme):
        self.what = (path, scheme)
        self.complaints, self.requests = [], []
        self.page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 1000})
        self.page.add_init_script(VIOLATIONS)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url + path)
        self.url = url

    def check_barriers(self, state):
        faults = barriers(self.page)
        assert not faults, (*self.what, state, faults)

    def close(self):
        assert not self.complaints, (self.what, self.complaints)
        elsewhere = [url for url in self.requests if not url.startswith((self.url + "/", "data:"))]
        assert not elsewhere, (self.what, elsewhere)
        self.page.close()


def answer(operation):
    """What the service answered, as Swagger UI shows it: status and body."""
    live = operation.locator(".live-responses-table .response")
    live.locator(".response-col_status").wait_for()
    return live.locator(".response-col_status").inner_text().split()[0], live.locator("code").first.inner_text()


def press_all(buttons):
    """Presses all at once: moving the pointer to each would take a second."""
    buttons.evaluate_all("buttons => buttons.filter(button => button.checkVisibility()).forEach(button => button.click())")


def test_swagger_ui_shows_and_tries_every_operation(site):
    key = site.service.key()
    for scheme in ("light", "dark"):
        check_swagger(site.browser, site.url, key, scheme)


def check_swagger(browser, url, key, scheme):
    opened = Page(browser, url, "/docs", scheme)
    page = opened.page
    page.locator(".opblock").nth(len(OPERATIONS) - 1).wait_for()
    shown = sorted(
        (block.locator(".opblock-summary-method").inner_text(), block.locator(".opblock-summary-path").get_attribute("data-path"),
         block.locator(".opblock-summary-description").inner_text())
        for block in page.locator(".opblock").all())
    assert shown == OPERATIONS, shown
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (background == "rgb(28, 32, 34)") == (scheme == "dark"), background
    opened.check_barriers("closed")

    usage = page.locator("#operations-Usage-listUsage")
    usage.locator(".opblock-summary-control").press("Enter")
    assert page.url == f"{url}/docs#/Usage/listUsage", page.url
    usage.get_by_role("button", name="Try it out").click()
    usage.get_by_role("button", name="Execute").click()
    status, body = answer(usage)
    # What was recorded in the light is there in the dark.
    assert status == "200" and json.loads(body)["usage"][:2] == SHOWN_RECORDS, (status, body)
    opened.check_barriers("answered")

    page.get_by_role("button", name="Authorize").click()
    opened.check_barriers("asked for a key")
    page.locator(".modal-ux input").fill(key)
    page.locator(".modal-ux").get_by_role("button", name="Apply").click()
    page.get_by_role("button", name="Close").first.click()
    record = page.locator("#operations-Recording-recordUsage")
    record.locator(".opblock-summary-control").click()
    record.get_by_role("button", name="Try it out").click()
    record.get_by_role("button", name="Execute").click()
    status, body = answer(record)
    # The second time it is a duplicate.
    assert status == ("201" if scheme == "light" else "200"), (status, body)
    assert json.loads(body)["credits_used"] == 1.7, body

    press_all(page.locator(".opblock-summary-control[aria-expanded=false]"))
    press_all(page.get_by_role("button", name="Schema", exact=True))
    opened.check_barriers("opened")
    opened.close()


def test_redoc_shows_every_operation_light_and_dark(site):
    for scheme in ("light", "dark"):
        check_redoc(site.browser, site.url, scheme)


def check_redoc(browser, url, scheme):
    opened = Page(browser, url, "/redoc", scheme)
    page = opened.page
    page.locator("[id^='operation/']").nth(len(OPERATIONS) - 1).wait_for()
    shown = sorted(
        (block.locator("button .http-verb").inner_text().upper(), block.locator("button .http-verb + span").inner_text(),
         block.locator("h2").inner_text().strip())
        for block in page.locator("[id^='operation/']").all())
    assert shown == OPERATIONS, shown
    # The maker's words stay; only the picture, which would come from elsewhere, does not.
    assert page.get_by_text("API docs by Redocly").is_visible()
    assert page.locator("img[alt='redocly logo']").count() == 0
    opened.check_barriers("closed")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(15, 19, 25)") == (scheme == "dark"), ground
    press_all(page.locator("[id^='operation/'] button:has(svg)"))
    opened.check_barriers("opened")
    opened.close()


def test_the_pages_link_to_each_other_and_say_which_script_is_missing(site):
    url, page = site.url, site.browser.new_page()
    headers = []
    for name, path in (("API reference", "/redoc"), ("Try the API", "/docs"), ("Dashboard", "/")):
        page.goto(url + ("/docs" if name == "API reference" else "/redoc"))
        page.get_by_role("link", name=name, exact=True).click()
        assert page.url == url + path, page.url
        assert page.locator(".top [aria-current=page]").inner_text() == name
        # They look alike: the same texts in the same places.
        headers.append(page.locator(".top :is(img, .brand, nav a)").evaluate_all(
            "all => all.map(it => [it.textContent, ...['left', 'top', 'height'].map(each => it.getBoundingClientRect()[each])])"))
    assert headers[0] == headers[1] == headers[2], headers
    for path, script in (("/docs", "swagger-ui-bundle.js"), ("/redoc", "redoc.standalone.js")):
        page.route(f"**/{script}", lambda route: route.abort())
        page.goto(url + path)
        page.get_by_text(f"cannot be shown: /assets/{script} is missing.").wait_for()
    page.close()


def policy(url):
    with urllib.request.urlopen(url) as response:
        return response.headers["Content-Security-Policy"]


def test_one_security_policy_applies_to_all_pages_and_redoc_adds_two_styles_by_hash(site):
    url = site.url
    home = policy(url + "/")
    assert home and "unsafe" not in home, home
    assert policy(url + "/docs") == home
    assert policy(url + "/redoc") == home.replace("style-src 'self'", "style-src 'self'" + REDOC_STYLES), policy(url + "/redoc")
