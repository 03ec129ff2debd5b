// The lines of budgets in the chart: the credits that one bar may have.

import { colour } from "./paint.js";

/** Draws a dashed line with its name for each of `lines`, in the colours of `element`. */
export function drawLines({ ctx, bbox, valToPos }, lines, element) {
  const pixel = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour(element, "--bad");
  ctx.font = `${12 * pixel}px ${getComputedStyle(element).fontFamily}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.lineWidth = pixel;
  ctx.setLineDash([6 * pixel, 4 * pixel]);
  for (const { name, credits } of lines) {
    const y = Math.round(valToPos(credits, "y", true)) + 0.5;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.fillText(name, bbox.left + 4 * pixel, y - 4 * pixel, bbox.width);
  }
  ctx.restore();
}
