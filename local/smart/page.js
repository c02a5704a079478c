// HTML for the pages that the servers write themselves.

const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

// Trusted is HTML that html has made; every other value is escaped.
class Trusted {
  constructor(text) { this.text = text }
  toString() { return this.text }
}

const escape = (value) => {
  if (Array.isArray(value)) return value.map(escape).join('')
  if (value instanceof Trusted) return value.text
  return value === undefined || value === null || value === false ? '' : String(value).replace(/[&<>"']/g, (c) => entities[c])
}

// html is a template tag.
export const html = (parts, ...values) => new Trusted(String.raw({ raw: parts }, ...values.map(escape)))

// page writes a whole page.
export const page = (title, body) => html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${title}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css"></head>
<body><main class="narrow">${body}</main></body></html>
`.text

export const send = (response, status, text, headers = {}) =>
  response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store', ...headers }).end(text)

// form reads the fields of a posted form.
export async function form(request) {
  let body = ''
  for await (const part of request.setEncoding('utf8')) body += part.slice(0, 1 << 16)
  return new URLSearchParams(body)
}
