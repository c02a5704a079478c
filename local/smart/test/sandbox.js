// A running sandbox for the tests, and somebody who signs in without a browser.
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '../../..')

const free = (port) => new Promise((resolve) => {
  const server = createServer().once('error', () => resolve(false)).listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
})

async function freePorts() {
  for (let port = 8300; port < 9300; port += 10) if ((await free(port)) && (await free(port + 1))) return port
  throw new Error('no two free ports from 8300 to 9300')
}

// startSandbox starts bin/sandbox and returns where everything is, what it has printed so far, and a function that ends it.
export async function startSandbox({ args = [], env = {} } = {}) {
  const port = await freePorts()
  const child = spawn('bin/sandbox', args, { cwd: root, env: { ...process.env, PORT: String(port), ...env } })
  const sandbox = {
    app: `http://127.0.0.1:${port}/app/`, launch: `http://127.0.0.1:${port}/launch`, requests: `http://127.0.0.1:${port}/requests`,
    base: `http://127.0.0.1:${port}/datastore/0123456789abcdef0123456789abcdef/r4/`, issuer: `http://127.0.0.1:${port + 1}/`, output: '',
  }
  const ended = new Promise((resolve) => { child.on('exit', (code) => resolve(code)) })
  sandbox.stop = () => { child.kill('SIGTERM'); return ended }
  const ready = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => { sandbox.output += text; if (sandbox.output.includes('\nReady.')) resolve(true) })
    }
  })
  if (!(await Promise.race([ready, ended.then(() => false)]))) throw new Error(`the sandbox did not start:\n${sandbox.output}`)
  return sandbox
}

// signIn goes from an authorization URL through login and consent, as a browser would, and returns the URL of the redirect to
// the app. without names scopes that the person does not grant.
export async function signIn(url, { account, patient, without = [], answer = 'allow' }) {
  const cookies = new Map()
  const go = async (to, body) => {
    const response = await fetch(to, {
      redirect: 'manual', method: body ? 'POST' : 'GET', body, headers: { Cookie: [...cookies].map((c) => c.join('=')).join('; ') },
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)
      cookies.set(name, value)
    }
    return response
  }
  let at = String(url)
  for (let steps = 0; steps < 12; steps++) {
    const response = await go(at)
    const location = response.headers.get('location')
    if (location) {
      at = new URL(location, at).href
      if (new URL(at).origin !== new URL(url).origin) return new URL(at)
      continue
    }
    const text = await response.text()
    if (!/interaction/.test(at)) throw new Error(`${response.status} ${text.slice(0, 200)}`)
    const form = new URLSearchParams()
    if (/name="account"/.test(text)) form.set('account', account)
    else {
      const scopes = [...text.matchAll(/name="scope" value="([^"]*)"/g)].map(([, scope]) => scope.replaceAll('&amp;', '&'))
      scopes.filter((scope) => !without.includes(scope)).forEach((scope) => form.append('scope', scope))
      form.set('answer', answer)
      form.set('patient', patient ?? /name="patient" value="([^"]*)"/.exec(text)?.[1] ?? '')
    }
    at = new URL((await go(at, form)).headers.get('location'), at).href
  }
  throw new Error('the sign-in goes round in circles')
}
