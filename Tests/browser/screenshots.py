"""Writes the pictures of `make screenshots` into the folder that it is given."""

import os
import pathlib
import sys

from dashboard import ARGUMENTS, MANY_RECORDS, expect, psql, sync_playwright, wait_until_live

WIDE = {"width": 1280, "height": 1000}
PHONE = {"width": 390, "height": 844}


def point_at(share):
    def act(page):
        box = page.locator("#chart .u-over").bounding_box()
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + 100)
    return act


def open_filter(page):
    page.get_by_role("button", name="Filter by User").click()
    expect(page.locator("#picker-list [role=option]").nth(3)).to_be_visible()


def show_records(page):
    page.locator("#records").scroll_into_view_if_needed()
    page.locator("#scroller").evaluate("scroller => scroller.scrollTop = 300")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.locator(".pending")).to_have_count(0)


def open_receipt(page):
    page.locator("#records tbody button").nth(2).click()
    expect(page.get_by_role("dialog").locator("dl")).to_be_visible()


def go_to_the_end(page):
    page.locator("#records tbody button").first.focus()
    page.keyboard.press("End")
    expect(page.locator("#position")).to_contain_text("1,000,000 of 1,000,000", timeout=30_000)
    expect(page.locator(".pending")).to_have_count(0, timeout=30_000)


def break_off(page):
    page.context.set_offline(True)
    expect(page.locator("#state[data-kind=offline]")).to_be_visible(timeout=10_000)


def stop_answering(page):
    problem = """{"detail":"An API key is required."}"""
    page.route("**/usage/summary*", lambda route: route.fulfill(
        status=401, body=problem, content_type="application/problem+json"))
    page.reload()
    expect(page.get_by_label("API key")).to_be_visible()


def fail_from_the_start(page):
    page.route("**/usage*", lambda route: route.abort())
    page.route("**/usage/**", lambda route: route.abort())
    page.reload()
    expect(page.locator("#unreachable")).to_be_visible()


def sign_in(page):
    page.evaluate("key => sessionStorage.setItem('orbital-key', key)", os.environ["DEMO_KEY"])
    page.reload()
    wait_until_live(page)
    expect(page.locator("#owner")).to_have_text("Usage of team legal")


def print_it(page):
    page.emulate_media(media="print")
    expect(page.locator(".controls")).to_be_hidden()


def pictures():
    """Name, address, size, scheme, and what to do before the picture is taken."""
    demo = os.environ["SITE_DEMO"]
    sorted_view = demo + "/?group_by=model&sort=credits_used:desc"
    yield "light", sorted_view, WIDE, "light", point_at(0.146)
    yield "dark", sorted_view, WIDE, "dark", point_at(0.146)
    yield "grouped", demo + "/?range=all&group_by=team_id&hide=support", WIDE, "light", None
    yield "bound-key", demo, WIDE, "light", sign_in
    yield "print", demo, WIDE, "light", print_it
    for name, size in (("budgets", WIDE), ("budgets-phone", PHONE)):
        yield name, os.environ["SITE_TEAMS"], size, "light", None
    yield "corrections", os.environ["SITE_TEAMS"] + "/?range=all&user_id=u-5", WIDE, "dark", show_records
    yield "filters", demo + "/?range=all&group_by=model&team_id=legal&team_id=sales", WIDE, "light", open_filter
    yield "receipt", demo, WIDE, "light", open_receipt
    yield "phone", demo, PHONE, "light", None
    yield "phone-dark", demo, PHONE, "dark", None
    yield "empty", os.environ["SITE_EMPTY"], WIDE, "light", None
    yield "misunderstood", demo + "/?tz=Mars/Base&sort=price:asc&granularity=hour", WIDE, "light", None
    yield "unreachable", demo, WIDE, "light", fail_from_the_start
    yield "error", demo, WIDE, "light", break_off
    yield "sign-in", demo, WIDE, "light", stop_answering
    yield "million-records", os.environ["SITE_MILLION"] + "/?range=all", WIDE, "light", go_to_the_end


def main(folder):
    psql(os.environ["DATABASE_MILLION"], MANY_RECORDS.format(1_000_000))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        for name, address, size, scheme, act in pictures():
            page = browser.new_page(
                viewport=size, color_scheme=scheme, reduced_motion="reduce", has_touch=size == PHONE,
                is_mobile=size == PHONE)
            page.goto(address)
            wait_until_live(page)
            if act:
                act(page)
            path = pathlib.Path(folder, f"{name}.png")
            page.screenshot(path=path, full_page=size == PHONE)
            print(f"{path}: {path.stat().st_size // 1024} KB")
            page.close()
        browser.close()


main(sys.argv[1])
