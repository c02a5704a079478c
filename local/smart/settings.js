// The launcher (local/cmd/sandbox) writes the settings as one line of JSON to a program's standard input and keeps that open.
// When it closes, the launcher has ended, and so does the program.
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'

// settings waits for the line.
export function settings() {
  const lines = createInterface({ input: process.stdin })
  lines.on('close', () => process.exit(0))
  return new Promise((resolve) => { lines.once('line', (line) => resolve(JSON.parse(line))) })
}

// serve listens on a port of this machine, and tells the launcher.
export function serve(port, listener) {
  const server = createServer((request, response) => {
    Promise.resolve(listener(request, response)).catch((error) => {
      console.error(error)
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  })
  server.on('error', (error) => { console.error(`port ${port}: ${error.code}`); process.exit(1) })
  server.listen(port, '127.0.0.1', () => console.log('ready'))
}
