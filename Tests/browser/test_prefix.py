"""The whole site under a path prefix, behind another server that passes it on: nginx, and Caddy."""

import contextlib
import json
import socket
import subprocess
import urllib.request

import pytest
from dashboard import DESKTOP, RECORDS, eventually, expect, wait_until_live
from orbital import psql

NGINX = """
daemon off; pid {folder}/outer.pid; error_log stderr warn;
events {{}}
http {{
    access_log off; proxy_temp_path {folder}; client_body_temp_path {folder};
    fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port};
        location /orbital/ {{ proxy_pass http://127.0.0.1:{site}/; }}
    }}
}}"""
CADDY = """
{{
    admin off
}}
http://127.0.0.1:{port} {{
    redir /orbital /orbital/
    handle_path /orbital/* {{
        reverse_proxy 127.0.0.1:{site}
    }}
}}"""


@contextlib.contextmanager
def behind(server, service, folder):
    """The address of the site behind a server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = folder / f"{server}.conf"
    file.write_text({"nginx": NGINX, "caddy": CADDY}[server].format(folder=folder, port=port, site=service.port))
    command = {"nginx": ["/usr/sbin/nginx", "-e", "stderr", "-c", file],
               "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config", file]}[server]
    with open(folder / f"{server}.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin"})
    try:
        url = f"http://127.0.0.1:{port}/orbital"
        service.wait(lambda: ask(url, "/health") == 200)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def ask(url, path):
    with contextlib.suppress(OSError), urllib.request.urlopen(url + path) as response:
        return response.status


def check_api(url, key):
    """Links and locations have the prefix."""
    with urllib.request.urlopen(f"{url}/usage?limit=1") as response:
        assert response.headers["Link"].startswith("</orbital/usage?limit=1&cursor="), response.headers["Link"]
    message = json.dumps({"message_text": "x"}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/usage", message, headers)) as response:
        location = response.headers["Location"]
        assert location == f"/orbital/usage/{json.loads(response.read())['message_id']}"
    for path, kind in [("/usage/0", "the responder"), ("/nothing", "nginx")]:
        try:
            urllib.request.urlopen(url + path)
        except urllib.error.HTTPError as error:
            assert json.loads(error.read())["instance"] == f"/orbital{path}", kind


def check_pages(browser, url):
    """Nothing is asked for beside the prefix."""
    page = browser.new_page(**DESKTOP)
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: complaints.extend(
        [] if request.url.startswith((f"{url}/", "data:")) else [request.url]))
    page.goto(f"{url}/?range=all")
    wait_until_live(page)
    assert page.locator("#csv").get_attribute("href").startswith("/orbital/usage?")
    page.locator("#group-by").select_option("none")
    eventually(page, lambda: page.url == f"{url}/?range=all&group_by=none")
    # Pages beyond the first one, by their cursors.
    page.locator("#records tbody button").first.focus()
    page.keyboard.press("End")
    expect(page.locator("#records tbody tr[data-index]").last).to_be_visible()
    page.get_by_role("link", name="Try the API").click()
    page.locator(".opblock").first.wait_for()
    usage = page.locator("#operations-Usage-listUsage")
    usage.locator(".opblock-summary-control").click()
    usage.get_by_role("button", name="Try it out").click()
    usage.get_by_role("button", name="Execute").click()
    expect(usage.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    page.get_by_role("link", name="API reference").click()
    page.locator("[id^='operation/']").first.wait_for()
    # Relative addresses need the right folder.
    page.goto(f"{url}/docs/")
    assert page.url == f"{url}/docs"
    assert complaints == [], complaints
    # At any depth; its status is written to the console.
    page.goto(f"{url}/a/b/c")
    assert page.locator("img").evaluate("it => it.naturalWidth") > 0
    page.get_by_role("link", name="Dashboard", exact=True).click()
    wait_until_live(page)
    page.close()


@pytest.mark.full
def test_the_site_works_under_a_path_prefix_behind_nginx_and_caddy(start_site, chromium, tmp_path):
    service = start_site(nginx_files=["orbital-prefix.conf"])
    psql(service.url, RECORDS)
    key = service.key("usage:write")
    browser = chromium([])
    for server in ["nginx", "caddy"]:
        with behind(server, service, tmp_path) as url:
            check_api(url, key)
            check_pages(browser, url)
    browser.close()
