// A small line chart as SVG.

const svg = (name, attributes, ...children) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children)
  return element
}

// chart draws two series of the same dates: points are {date, first, second}. range is the span of values that is good.
export function chart(points, { label, range, unit }) {
  const [width, height, left, bottom, top, right] = [560, 220, 34, 24, 10, 10]
  const values = points.flatMap((p) => [p.first, p.second])
  const low = Math.floor(Math.min(...values, range[0]) / 20) * 20
  const high = Math.ceil(Math.max(...values, range[1]) / 20) * 20
  const x = (i) => left + (i * (width - left - right)) / Math.max(1, points.length - 1)
  const y = (value) => top + ((high - value) * (height - top - bottom)) / (high - low)
  const root = svg('svg', { class: 'chart', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label })
  root.append(svg('rect', { class: 'range', x: left, width: width - left - right, y: y(range[1]), height: y(range[0]) - y(range[1]) }))
  for (let value = low; value <= high; value += 20) {
    root.append(svg('line', { class: 'axis', x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      svg('text', { x: left - 6, y: y(value) + 4, 'text-anchor': 'end' }, String(value)))
  }
  points.forEach((p, i) => {
    if (i % 2 === 0) root.append(svg('text', { x: x(i), y: height - 6, 'text-anchor': 'middle' }, p.date.slice(2, 7)))
  })
  for (const series of ['first', 'second']) {
    root.append(svg('path', { class: series, d: points.map((p, i) => `${i ? 'L' : 'M'}${x(i)} ${y(p[series])}`).join('') }))
    points.forEach((p, i) => root.append(svg('circle', { class: series, cx: x(i), cy: y(p[series]), r: 3.2 },
      svg('title', {}, `${p.date.slice(0, 10)}: ${p[series]} ${unit}`))))
  }
  return root
}
