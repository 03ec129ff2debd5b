"""Opens the page at the given address in Chromium and prints, as JSON, what a person would see."""
import json
import sys

from playwright.sync_api import sync_playwright


def main(address, expected_state):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        page = browser.new_page()
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        page.get_by_role("status").filter(has_text=expected_state).wait_for(timeout=30_000)
        print(json.dumps({
            "state": page.get_by_role("status").inner_text(),
            "credits": page.locator("#credits").inner_text(),
            "messages": page.locator("#messages").inner_text(),
            "rows": [row.inner_text().split("\t") for row in page.locator("#newest tr").all()],
            "isEmptyShown": page.locator("#empty").is_visible(),
            "canTryAgain": page.get_by_role("button", name="Try again").is_visible(),
            "complaints": complaints,
        }))
        browser.close()


main(*sys.argv[1:])
