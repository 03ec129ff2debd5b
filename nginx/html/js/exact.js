// Numbers that have more digits than JavaScript's: large ids, and sums of many credits.

/** As `JSON.parse`, but a number of 16 or more characters is its text, so no digit is lost. */
export function parseExactly(text) {
  // A quote after a word character ends a member's name; inside a string it would be escaped.
  return JSON.parse(text.replace(/(\w":)(-?\d[\d.]{15,})/g, '$1"$2"'));
}

/** Credits, a number or its text, as an integer of hundredths. */
export function hundredths(credits) {
  const [whole, fraction = ""] = String(credits).split(".");
  return BigInt(whole + fraction.padEnd(2, "0"));
}
