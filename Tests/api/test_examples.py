"""The programs of deploy/examples, with the providers' own clients and a generated one, against the whole service."""

import http.server
import json
import pathlib
import subprocess
import sys
import threading
import urllib.error

import anthropic
import openai
import pytest

from service import BUILT, REPOSITORY

EXAMPLES = REPOSITORY / "deploy/examples"
sys.path.insert(0, str(EXAMPLES))
import orbital_usage  # noqa: E402

# Responses as the providers document them; what the examples do not need is left out.
CHAT = {
    "id": "chatcmpl-B9MB", "object": "chat.completion", "created": 1741569952, "model": "gpt-5-mini", "choices": [],
    "usage": {"prompt_tokens": 1200, "completion_tokens": 305, "total_tokens": 1505,
              "prompt_tokens_details": {"cached_tokens": 800}}}
RESPONSE = {
    "id": "resp_67cc", "object": "response", "created_at": 1741476542, "model": "gpt-5", "output": [],
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    "usage": {"input_tokens": 2000, "output_tokens": 100, "total_tokens": 2100,
              "input_tokens_details": {"cached_tokens": 1500, "cache_write_tokens": 300},
              "output_tokens_details": {"reasoning_tokens": 64}}}
MESSAGE = {
    "id": "msg_013Z", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
    "stop_reason": "end_turn", "stop_sequence": None,
    "usage": {"input_tokens": 400, "output_tokens": 305, "cache_read_input_tokens": 800,
              "cache_creation_input_tokens": 200}}
BODIES = {"/chat/completions": CHAT, "/responses": RESPONSE, "/v1/messages": MESSAGE}
# message id of the provider: model, input, output, read from and written to the cache; input includes both.
EXPECTED = {
    "chatcmpl-B9MB": ["gpt-5-mini", 1200, 305, 800, 0], "resp_67cc": ["gpt-5", 2000, 100, 1500, 300],
    "msg_013Z": ["claude-x", 1400, 305, 800, 200]}


class Provider(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(BODIES[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def responses():
    """A response of each API, read by the provider's own client."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    turn = {"role": "user", "content": "What is the rent?"}
    first, second = openai.OpenAI(api_key="none", base_url=url), anthropic.Anthropic(api_key="none", base_url=url)
    yield [first.chat.completions.create(model="gpt-5-mini", messages=[turn]),
           first.responses.create(model="gpt-5", input="What is the rent?"),
           second.messages.create(model="claude-x", max_tokens=400, messages=[turn])]
    server.shutdown()
    server.server_close()


def recorded(site):
    """The stored records by their external ids, and who they belong to."""
    rows = site.psql("""
        SELECT json_build_array(external_id, model, input_tokens, output_tokens, cache_read_input_tokens,
            cache_creation_input_tokens, user_id, team_id)
        FROM usage_record JOIN usage_attribution USING (attribution_id)""").splitlines()
    return {row[0]: row[1:] for row in map(json.loads, rows)}


def belonging(user):
    return {key: [*values, user, "legal"] for key, values in EXPECTED.items()}


def test_responses_of_three_apis_are_recorded_once_by_the_python_example(site, responses):
    url, key = f"http://127.0.0.1:{site.port}/usage", site.key("usage:write")
    for status in (None, "duplicate"):
        for response in responses:
            message = orbital_usage.usage_message(response, user_id="u-17", team_id="legal")
            assert orbital_usage.record(message, key, url).get("status") == status
    assert recorded(site) == belonging("u-17")


def test_responses_of_three_apis_are_recorded_once_by_the_typescript_example(site):
    # The JavaScript clients return the body as an object.
    program = f"""
        import {{ usageMessage, record }} from "{EXAMPLES}/orbital-usage.ts";
        for (const response of {json.dumps(list(BODIES.values()) * 2)}) {{
            const message = usageMessage(response, {{ user_id: "u-18", team_id: "legal" }});
            const body = await record(message, "{site.key("usage:write")}", "http://127.0.0.1:{site.port}/usage");
            console.log(body.status ?? "created");
        }}"""
    assert node(program).split() == ["created"] * 3 + ["duplicate"] * 3
    assert recorded(site) == belonging("u-18")


def node(program):
    """What Node.js prints; the one that Playwright brings along runs TypeScript."""
    (path,) = pathlib.Path(sys.prefix).glob("lib/*/site-packages/playwright/driver/node")
    command = [path, "--disable-warning=ExperimentalWarning", "--input-type=module", "-e", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_a_restart_in_the_middle_costs_the_example_a_retry_and_no_record(start_site, language):
    site = start_site()
    url, key = f"http://127.0.0.1:{site.port}/usage", site.key("usage:write")
    message = {"external_id": "chatcmpl-1", "user_id": "u-19", "input_tokens": 10}

    def record():
        if language == "python":
            return orbital_usage.record(message, key, url)
        return json.loads(node(f"""
            import {{ record }} from "{EXAMPLES}/orbital-usage.ts";
            console.log(JSON.stringify(await record({json.dumps(message)}, "{key}", "{url}")));"""))

    outcome = []
    site.responder.terminate()
    site.responder.wait(30)
    thread = threading.Thread(target=lambda: outcome.append(record()))
    thread.start()
    site.wait(lambda: '"POST /usage HTTP/1.1" 502' in site.access.read_text())
    site.launch(BUILT / "orbital-fcgi")
    thread.join(60)
    assert [record["external_id"] for record in outcome] == ["chatcmpl-1"]
    assert site.psql("SELECT count(*) FROM usage_record") == "1"


def test_a_refused_message_is_not_sent_again_by_the_examples(site):
    url, key = f"http://127.0.0.1:{site.port}/usage", site.key("usage:write")
    sent = site.access.read_text().count(" 422 ")
    with pytest.raises(urllib.error.HTTPError) as raised:
        orbital_usage.record({"external_id": "chatcmpl-2"}, key, url)
    raised.value.close()
    assert raised.value.code == 422
    text = node(f"""
        import {{ record }} from "{EXAMPLES}/orbital-usage.ts";
        await record({{}}, "{key}", "{url}").catch((error) => console.log(error.message));""")
    assert text.startswith('422 {"type":') and "message_text" in text
    assert site.access.read_text().count(" 422 ") == sent + 2


def test_a_client_generated_from_the_description_pages_and_sums(site, tmp_path):
    for user, tokens in (("u-17", 500), ("u-17", 1000), ("u-20", 100)):
        site.psql(f"""
            INSERT INTO usage_record ("timestamp", attribution_id, input_tokens, output_tokens)
            VALUES ('2024-01-15T14:30:00Z', usage_attribution('{user}', NULL, 'gpt-5', NULL), {tokens}, 0)""")
    generated = subprocess.run(
        [f"{sys.prefix}/bin/openapi-python-client", "generate", "--path", REPOSITORY / "nginx/html/openapi.json",
         "--output-path", tmp_path / "orbital_client", "--meta", "none"],
        capture_output=True, text=True, env={"PATH": f"{sys.prefix}/bin", "HOME": str(tmp_path)})
    assert generated.returncode == 0, generated.stdout + generated.stderr
    done = subprocess.run(
        [sys.executable, EXAMPLES / "spending.py", f"http://127.0.0.1:{site.port}", "2024-01-15", "2024-01-16"],
        capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path), "KEY": site.key("usage:read")})
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "u-17: 600.00 credits, messages: 2\n    2024-01-15 14:30  200.00\n    2024-01-15 14:30  400.00\n"
        "u-20: 40.00 credits, messages: 1\n    2024-01-15 14:30  40.00\n")
