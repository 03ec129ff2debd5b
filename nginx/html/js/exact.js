// Numbers with more digits than a JavaScript number holds: large ids, and large sums of credits.

/** `JSON.parse`, but numbers of 16 or more characters become strings, so no digit is lost. */
export function parseExactly(text) {
  // `":` after a word character ends a member's name: inside a string, the quote is escaped.
  return JSON.parse(text.replace(/(\w":)(-?\d[\d.]{15,})/g, '$1"$2"'));
}

/** Credits, a number or its text, as an integer of hundredths. */
export function hundredths(credits) {
  const [whole, fraction = ""] = String(credits).split(".");
  return BigInt(whole + fraction.padEnd(2, "0"));
}
