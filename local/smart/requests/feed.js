// What came of each request: kept for the requests page, sent to it as it happens, and written as a line.
import { EventEmitter } from 'node:events'

const kept = 200

// Claims whose values are credentials, or could be used as one.
const credential = /token|secret|jti|sid|nonce|code/i
const hide = (object) => JSON.parse(JSON.stringify(object ?? null), (name, value) =>
  (credential.test(name) && typeof value === 'string' && name !== 'token_type' ? `<${value.length} characters>` : value))

// feedOf returns a feed. reasons is the function's table of reasons, by their words.
export function feedOf(reasons) {
  const lines = []
  const emitter = new EventEmitter().setMaxListeners(0)
  let number = 0

  // report takes what healthLake reports about a request.
  function report({ call, ...request }) {
    const { log, response, event, milliseconds } = call ?? {}
    const claims = response?.authPayload
    const line = {
      number: ++number, ...request, milliseconds,
      client: claims?.client_id ?? log?.client_id, person: claims?.sub === claims?.client_id ? undefined : claims?.sub,
      decision: request.status < 400 ? 'allowed' : request.refusedBy ? 'refused' : 'failed',
      reason: log?.reason, meaning: reasons[log?.reason]?.meaning, fix: reasons[log?.reason]?.fix,
      role: claims?.isAuthorized ? response.iamRoleARN : undefined,
      event: hide(event), answer: hide(response), log: hide(log),
    }
    lines.push(line)
    lines.splice(0, lines.length - kept)
    emitter.emit('line', line)
    console.log(inOneLine(line))
  }

  // stream sends the lines that there are, and those to come, as server-sent events.
  function stream(request, response) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    const write = (line) => response.write(`data: ${JSON.stringify(line)}\n\n`)
    const from = Number(request.headers['last-event-id'] ?? 0)
    lines.filter((line) => line.number > from).forEach(write)
    emitter.on('line', write)
    request.on('close', () => emitter.off('line', write))
  }

  return { report, stream }
}

function inOneLine({ time, operation, status, milliseconds, client, person, path, refusedBy, reason, diagnostics }) {
  const took = milliseconds === undefined ? '-' : `${milliseconds.toFixed(0)} ms`
  const why = status < 400 ? '' : `  ${[refusedBy, reason, diagnostics].filter(Boolean).join(': ')}`
  const columns = [time.slice(11, 19), operation.padEnd(22), status, took.padStart(7), (client ?? '-').padEnd(15), (person ?? '-').padEnd(9), path]
  return columns.join('  ').replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?') + why
}
