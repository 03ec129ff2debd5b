"""Records one response of OpenAI's or Anthropic's Python client; sending it again costs nothing."""

import http.client, json, time, urllib.request


def usage_message(response, **who):
    """The message to record; `who` has user_id, team_id, tags. Our input_tokens includes cached tokens."""
    body = response.model_dump()
    usage = body["usage"]
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    tokens = {"input_tokens": usage.get("prompt_tokens", usage.get("input_tokens")),
              "output_tokens": usage.get("completion_tokens", usage.get("output_tokens")),
              "cache_read_input_tokens": details.get("cached_tokens") or 0,
              "cache_creation_input_tokens": details.get("cache_write_tokens") or 0}
    if "cache_read_input_tokens" in usage:  # Anthropic counts cached tokens separately.
        tokens |= {name: usage[name] or 0 for name in ("cache_read_input_tokens", "cache_creation_input_tokens")}
        tokens["input_tokens"] += tokens["cache_read_input_tokens"] + tokens["cache_creation_input_tokens"]
    return {"external_id": body["id"], "model": body["model"], **tokens, **who}


def record(message, key, url="http://localhost:8000/usage"):
    """The recorded message; retries, which is safe because the message has an id. Raises HTTPError if it is refused."""
    fields = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(message).encode(), fields)
    for pause in (1, 2, 4, 8, 16, None):
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)
        except (OSError, http.client.HTTPException) as error:  # HTTPError is an OSError.
            status = getattr(error, "code", 503)
            if pause is None or (status < 500 and status != 429):
                raise
            time.sleep(pause)
