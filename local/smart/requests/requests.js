// The requests page: a table that grows at its top.

const body = document.getElementById('lines')
const state = document.getElementById('state')
const seen = new Set()

const source = new EventSource('/requests/events')
source.onopen = () => { state.textContent = 'live' }
source.onerror = () => { state.textContent = 'the sandbox has ended, or is starting again' }
source.onmessage = ({ data }) => add(JSON.parse(data))

function add(line) {
  const id = `${line.time} ${line.number}`
  if (seen.has(id)) return // sent again after a lost connection
  seen.add(id)
  document.getElementById('none')?.remove()
  const row = element('tr', 'line')
  row.tabIndex = 0
  row.append(
    cell(line.time.slice(11, 19)),
    cell(line.operation, element('small', 'quiet', `${line.method} ${line.path}`)),
    cell(line.client ?? '–', element('small', 'quiet', line.person ?? '')),
    cell(element('b', line.decision === 'allowed' ? 'good' : 'bad', line.decision), element('small', 'quiet', `${line.status}${line.refusedBy ? `, by ${line.refusedBy}` : ''}`)),
    cell(line.reason ?? '–', element('small', 'quiet', line.diagnostics ?? '')),
    cell(line.role?.split('/').at(-1).split('-Role-for-').at(-1) ?? '–'),
    time(line.milliseconds, line.log?.idp_requests),
  )
  const detail = element('tr')
  detail.hidden = true
  row.onclick = () => { detail.hidden = !detail.hidden; if (!detail.hasChildNodes()) detail.append(details(line)) }
  row.onkeydown = ({ key }) => { if (key === 'Enter') row.click() }
  body.prepend(row, detail)
}

function details({ meaning, fix, event, answer, log }) {
  const all = element('td')
  all.colSpan = 7
  if (meaning) {
    const why = element('p', '', meaning)
    if (fix) why.append(element('br'), element('b', '', 'To do: '), fix)
    all.append(why)
  }
  const columns = element('div', 'detail')
  for (const [title, value] of [['event to the function', event], ['its response', answer], ['its log line', log]]) {
    if (!value) continue
    const column = element('div')
    column.append(element('h2', '', title), element('pre', '', JSON.stringify(value, null, 2)))
    columns.append(column)
  }
  all.append(columns)
  return all
}

function time(milliseconds, asked) {
  if (milliseconds === undefined) return cell('–')
  const bar = element('span', `bar${milliseconds >= 1000 ? ' late' : ''}`)
  const part = element('i')
  part.style.width = `${Math.min(100, milliseconds / 10)}%`
  bar.append(part)
  const made = cell(milliseconds.toFixed(milliseconds < 10 ? 1 : 0), bar)
  made.className = 'number'
  if (asked > 1) made.append(element('small', 'quiet', `asked ${asked} times`))
  return made
}

function cell(...content) {
  const made = element('td')
  made.append(...content.flatMap((part, i) => (i ? [element('br'), part] : [part])))
  return made
}

function element(name, className = '', text = '') {
  const made = document.createElement(name)
  made.className = className
  made.textContent = text
  return made
}
