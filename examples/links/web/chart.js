// Clicks of the last 30 days as bars: an SVG made of elements, without a library.
const SVG = "http://www.w3.org/2000/svg";
const DAYS = 30, WIDTH = 10, HEIGHT = 60;

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export function chart(days) {
  const clicks = new Map(days.map((one) => [one.day, one.clicks]));
  const dates = Array.from({ length: DAYS }, (_, i) => {
    const date = new Date(Date.now() - (DAYS - 1 - i) * 86_400_000);
    return date.toISOString().slice(0, 10);
  });
  const most = Math.max(1, ...clicks.values());
  const total = dates.reduce((sum, date) => sum + (clicks.get(date) ?? 0), 0);
  const svg = element("svg", {
    viewBox: `0 0 ${DAYS * WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `${total} clicks in ${DAYS} days, ${most} on the busiest`,
  });
  svg.append(element("line", { x1: 0, x2: DAYS * WIDTH, y1: HEIGHT, y2: HEIGHT }));
  dates.forEach((date, i) => {
    const n = clicks.get(date) ?? 0;
    if (!n) return;
    const height = Math.max(2, (n / most) * (HEIGHT - 4));
    const bar = element("rect", { x: i * WIDTH + 1, width: WIDTH - 2, y: HEIGHT - height, height });
    const title = element("title", {});
    title.textContent = `${date}: ${n}`;
    bar.append(title);
    svg.append(bar);
  });
  const caption = document.createElement("figcaption");
  for (const text of [dates[0], `most: ${most}`, dates.at(-1)]) {
    const span = document.createElement("span");
    span.textContent = text;
    caption.append(span);
  }
  return [svg, caption];
}
