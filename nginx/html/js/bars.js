// The bars' shapes. uPlot's own have whole pixels and lose the gaps between narrow ones.

const SHARE = 0.72;
const WIDEST = 56;
/** Narrower bars keep their fraction of a pixel, so that gaps are even; wider ones are sharp. */
const SHARP_FROM = 10;

/** uPlot's path builder: one bar for each value that is not zero. */
export function bars(plot, series, first, last) {
  const fill = new Path2D();
  const at = (value, scale) => plot.valToPos(value, scale, true);
  const floor = at(0, "y");
  const pitch = at(1, "x") - at(0, "x");
  const isSharp = pitch >= SHARP_FROM;
  const round = (pixels) => (isSharp ? Math.round(pixels) : pixels);
  const width = Math.max(1, round(Math.min(pitch * SHARE, WIDEST * devicePixelRatio)));
  const radius = Math.min(4 * devicePixelRatio, width * 0.15);
  for (let index = first; index <= last; index += 1) {
    const value = plot.data[series][index];
    if (value === 0) continue;
    // What was used is seen, however little it was.
    const height = Math.max(1, Math.round(floor - at(value, "y")));
    fill.roundRect(
      round(at(index, "x") - width / 2), floor - height, width, height, [radius, radius, 0, 0]);
  }
  return { fill };
}
