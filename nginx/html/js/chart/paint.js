// The colours of the page, for the canvas of the chart.

/** An element without content, so that another colour changes no other style. */
const sample = document.createElement("span");
sample.hidden = true;

/** The current colour of a custom property, in the light or the dark scheme. */
export function colour(element, name) {
  if (sample.parentNode !== element) element.append(sample);
  sample.style.color = `var(${name})`;
  return getComputedStyle(sample).color;
}
