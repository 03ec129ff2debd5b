// Records one response of OpenAI's or Anthropic's JavaScript client; sending it again costs nothing.

type Response = { id: string; model: string; usage?: any };
type Who = { user_id?: string; team_id?: string; tags?: Record<string, string> };

/** The message to record. Our input_tokens includes cached tokens. */
export function usageMessage({ id, model, usage }: Response, who: Who) {
  const details = usage.prompt_tokens_details ?? usage.input_tokens_details ?? {};
  const read = usage.cache_read_input_tokens ?? details.cached_tokens ?? 0;
  const written = usage.cache_creation_input_tokens ?? details.cache_write_tokens ?? 0;
  // Anthropic counts cached tokens separately.
  const separate = "cache_read_input_tokens" in usage ? read + written : 0;
  return {
    external_id: id, model, ...who,
    input_tokens: (usage.prompt_tokens ?? usage.input_tokens) + separate,
    output_tokens: usage.completion_tokens ?? usage.output_tokens,
    cache_read_input_tokens: read, cache_creation_input_tokens: written,
  };
}

/** The recorded message; retries, which is safe because the message has an id. Throws if it is refused. */
export async function record(message: object, key: string, url = "http://localhost:8000/usage") {
  const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
  for (const pause of [1, 2, 4, 8, 16, 0]) {
    try {
      const options = { method: "POST", headers, body: JSON.stringify(message), signal: AbortSignal.timeout(10_000) };
      const response = await fetch(url, options);
      const text = await response.text();
      if (response.ok) return JSON.parse(text);
      if (response.status < 500 && response.status !== 429) throw new RangeError(`${response.status} ${text}`);
      if (!pause) throw new Error(`${response.status} ${text}`);
    } catch (error) {
      if (!pause || error instanceof RangeError) throw error;
    }
    await new Promise((resume) => setTimeout(resume, pause * 1000));
  }
}
