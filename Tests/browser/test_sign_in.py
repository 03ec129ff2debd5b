"""Where ACCESS=keyed: a key for this tab, in session storage only."""

import re

import pytest
from barriers import barriers
from dashboard import expect, later, wait_until_live


START = {"ACCESS": "keyed"}


@pytest.fixture(scope="module")
def key(site):
    return site.service.key("usage:read")


def stored(page):
    return page.evaluate("[{ ...sessionStorage }, { ...localStorage }, document.cookie]")


def test_nothing_is_shown_without_a_key_and_all_with_one(site, key):
    with site.open("/?report_name=Rent+Review", may_fail=True, is_live=False) as page:
        field = page.get_by_label("API key")
        expect(field).to_be_focused()
        assert field.get_attribute("type") == "password"
        expect(page.locator("#sign-in-reason")).to_have_text("An API key is required.")
        expect(field).not_to_have_attribute("aria-invalid", "true")
        expect(page.locator("main")).to_be_hidden()
        field.fill(key)
        page.keyboard.press("Enter")
        wait_until_live(page)
        expect(page.locator("main")).to_be_visible()
        expect(field).to_be_hidden()
        expect(page.locator("main")).to_be_focused()
        assert page.locator("#messages").inner_text() == site.sql(
            "SELECT count(*) FROM usage_record WHERE report_name = 'Rent Review'")
        session, *others = stored(page)
        # Of groups, only hashes.
        assert re.fullmatch(r"(\[\[\d+,\d\]\])?", session.pop("orbital-colours", ""))
        assert [session, *others] == [{"orbital-key": key}, {}, ""]
        assert key not in page.url and key not in page.content()

        page.set_viewport_size({"width": 320, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.reload()
        wait_until_live(page)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        expect(page.locator("main")).to_be_hidden()
        assert stored(page) == [{}, {}, ""]


def test_a_key_that_is_wrong_or_may_not_read_is_refused_with_the_reason(site):
    with site.open(may_fail=True, is_live=False) as page:
        reason = page.locator("#sign-in-reason")
        for key, words in [("orb_nonsense", "The API key is not valid."), ("ключ", "This is not an API key. A key starts with orb_ and has no spaces."),
                           (site.service.key("usage:write"), "The API key does not have the scope usage:read.")]:
            page.get_by_label("API key").fill(key)
            page.get_by_role("button", name="Sign in").click()
            expect(reason).to_have_text(words)
            expect(page.locator("main")).to_be_hidden()
            field = page.get_by_role("textbox", name="API key")
            expect(field).to_be_focused()
            expect(field).to_have_attribute("aria-invalid", "true")
            assert reason.evaluate("it => getComputedStyle(it).color") == "rgb(179, 38, 30)"
        expect(page.locator("#key-note")).to_contain_text("The administrator of this service issues keys")


def test_a_key_that_ends_while_the_page_is_open(site, key):
    with site.open(may_fail=True, is_live=False, has_clock=True) as page:
        page.get_by_label("API key").fill(key)
        page.keyboard.press("Enter")
        wait_until_live(page)
        page.evaluate("sessionStorage.setItem('orbital-key', 'orb_revoked')")
        later(page)
        expect(page.get_by_label("API key")).to_be_visible()
        expect(page.locator("#state")).to_contain_text("The API key is not valid.")
        expect(page.locator("#messages")).to_have_text("3,000")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        wait_until_live(page)


def test_signing_out_leaves_nothing_on_the_page_even_where_nothing_answers(site, key):
    with site.open(may_fail=True, is_live=False) as page:
        page.get_by_label("API key").fill(key)
        page.keyboard.press("Enter")
        wait_until_live(page)
        page.route("**/usage*", lambda route: route.abort())
        page.route("**/usage/**", lambda route: route.abort())
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("alert").first).to_contain_text("The service is unreachable")
        expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
        assert page.locator("#records tbody tr[data-index]").count() == 0
        assert "59,9" not in page.content(), "the sum of the credits"
        assert stored(page) == [{}, {}, ""]


def test_a_download_carries_the_key(site, key):
    with site.open("/?report_name=Rent+Review", may_fail=True, is_live=False) as page:
        page.get_by_label("API key").fill(key)
        page.keyboard.press("Enter")
        wait_until_live(page)
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Download").click()
            page.get_by_role("link", name="Records as CSV", exact=True).click()
        lines = waiting.value.path().read_text().splitlines()
        assert waiting.value.suggested_filename == "usage.csv"
        assert len(lines) - 1 == int(page.locator("#messages").inner_text())
        assert key not in waiting.value.url
        # What went wrong with one view's file is no news of the next one's.
        page.route("**/usage?*", lambda route: route.abort())
        page.get_by_role("button", name="Download").click()
        page.get_by_role("link", name="Records as CSV", exact=True).click()
        state = page.locator("#records-state")
        expect(state).to_have_text("Download failed: The service is unreachable.")
        page.unroute("**/usage?*")
        page.get_by_role("button", name="Remove the filter Report: Rent Review").click()
        expect(state).to_have_text("")


def sign_in(page, key):
    page.get_by_label("API key").fill(key)
    page.keyboard.press("Enter")
    wait_until_live(page)


def test_a_bound_key_says_whose_usage_it_shows_and_offers_only_what_it_can_see(site, key):
    bound = site.service.key("usage:read", bounds=("--user", "u-17", "--tag", "env:prod"))
    page_of_nobody = site.service.key("usage:read", bounds=("--team", "nobody"))
    site.sql("""INSERT INTO usage_record ("timestamp", message_text, attribution_id)
        SELECT '2024-01-01Z', 'x', usage_attribution('u-17', 'legal', 'gpt-5', jsonb_build_object('env', env, 'feature', 'chat'))
        FROM unnest(ARRAY['prod', 'prod', 'test']) AS env""")
    with site.open(may_fail=True, is_live=False) as page:
        owner, filters, grouping = (page.locator(each) for each in ["#owner", "#pickers button", "#group-by option"])
        sign_in(page, bound)
        expect(owner).to_have_text("Usage of user u-17, env: prod")
        expect(page).to_have_title("Credits by model, 1 Jan 2024 – user u-17, env: prod – Orbital Usage")
        expect(page.locator("#messages")).to_have_text("2")
        expect(page.locator("#groups-title")).to_have_text("Credits by model")
        expect(filters).to_have_text(["Report", "Team", "Model", "feature"])
        expect(grouping).to_have_text(["None", "Report", "Team", "Model", "feature"])
        # A link of somebody else: what the bounds fix has no effect, and a contradiction is named.
        page.goto(f"{site.url}/?range=all&user_id=u-18&tag=env:prod&group_by=user_id")
        wait_until_live(page)
        expect(page.locator("#notices li")).to_have_text([
            "The filter “User: u-18” is outside this key’s records (user u-17, env: prod). Ignored."])
        expect(page.locator("#messages")).to_have_text("2")
        expect(page.locator("#chips li")).to_have_count(0)
        expect(page.locator("#groups-title")).to_have_text("Credits by model")
        assert barriers(page) == []
        page.set_viewport_size({"width": 320, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        links, button = (page.locator(each).bounding_box() for each in [".top nav a[href=redoc]", "#sign-out"])
        assert button["y"] + button["height"] <= links["y"], "the button covers no link"

        page.get_by_role("button", name="Sign out").click()
        sign_in(page, page_of_nobody)
        expect(page.get_by_role("region", name="No messages of team nobody recorded yet")).to_be_visible()
        expect(page.locator("#first-steps")).to_be_hidden()
        page.get_by_role("button", name="Sign out").click()
        sign_in(page, key)
        expect(owner).to_be_empty()
        expect(page).to_have_title("Credits by user, No records, User: u-18, env: prod – Orbital Usage")
        expect(filters).to_have_text(["Report", "User", "Team", "Model", "env"])
    site.sql("""DELETE FROM usage_record WHERE "timestamp" = '2024-01-01Z'""")
