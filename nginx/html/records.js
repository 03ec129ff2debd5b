const OPENING = '{"usage":[';

/**
 * The records of an answer of GET /usage as their JSON texts, one by one, while it arrives.
 *
 * A million records are 100 MB: nothing is kept but the record that has begun. Throws when the
 * answer ends before its closing brackets, for then it is not the whole.
 */
export async function* records(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let position = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    text = text.slice(position) + value;
    position = text.startsWith(OPENING) ? OPENING.length : 0;
    for (;;) {
      const end = endOfObject(text, position);
      if (end === -1) break;
      yield text.slice(position, end);
      position = text[end] === "," ? end + 1 : end;
    }
  }
  if (text.slice(position) !== "]}") throw new Error("The answer broke off before its end.");
}

/** The index after the flat object at `start`; -1 while its end, or what follows, is missing. */
function endOfObject(text, start) {
  if (text[start] !== "{") return -1;
  let inString = false;
  for (let index = start; index < text.length - 1; index += 1) {
    const character = text[index];
    if (character === "\\") index += 1;
    else if (character === '"') inString = !inString;
    else if (character === "}" && !inString) return index + 1;
  }
  return -1;
}
