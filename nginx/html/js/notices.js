// What the page has to say about the view itself, such as an address that it does not understand.

const list = document.getElementById("notices");
const SHOWN = 8;

export function showNotices(sentences) {
  const lines = sentences.slice(0, SHOWN);
  if (sentences.length > SHOWN) lines.push(`And ${sentences.length - SHOWN} more.`);
  // What is written into an alert is read out, even if it is the same.
  if (lines.join("\n") === [...list.children].map((item) => item.textContent).join("\n")) return;
  list.replaceChildren(...lines.map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  }));
}
