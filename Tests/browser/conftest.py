"""Chromium and the page, for the tests of the browser."""

import pytest
from dashboard import ARGUMENTS, RECORDS, UNLIMITED, Site, sync_playwright
from orbital import psql


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        yield lambda flags: playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*ARGUMENTS, *flags])


@pytest.fixture(scope="module")
def site(request, chromium, shared_site, start_site):
    """The page in a browser of its module.

    A module may define its RECORDS, the FLAGS of Chromium, and START: the arguments of start_site, for its own site.
    """
    constants = vars(request.module)
    service = start_site(**constants["START"]) if "START" in constants else shared_site
    psql(service.url, constants.get("RECORDS", RECORDS))
    browser = chromium(constants.get("FLAGS", UNLIMITED))
    yield Site(browser, service)
    browser.close()
