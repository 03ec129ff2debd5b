// The bars of the groups on top of each other: above zero, and below it for negative credits.

/** For each group, where its part of each bar begins and ends, and which one ends the bar. */
export function stacked(groups, length) {
  const above = new Array(length).fill(0), below = new Array(length).fill(0);
  const last = new Array(length).fill(-1);
  const layers = groups.map(({ series }, layer) => {
    const values = Array.from({ length }, (_, index) => Number(series[index]));
    const starts = values.map((value, index) => (value < 0 ? below : above)[index]);
    for (const [index, value] of values.entries()) {
      (value < 0 ? below : above)[index] += value;
      if (value > 0) last[index] = layer;
    }
    return { starts, ends: values.map((value, index) => starts[index] + value) };
  });
  return { layers, last, most: Math.max(0, ...above), least: Math.min(0, ...below) };
}
