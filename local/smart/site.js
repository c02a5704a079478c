// The pages beside HealthLake's place: the app, the requests, and the launch from an EHR.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { launchPage, startLaunch } from './launch.js'

const here = (file) => new URL(file, import.meta.url)
const fhirclient = createRequire(import.meta.url).resolve('fhirclient/build/fhir-client.pure.min.js')
const files = {
  '/app/': [here('app/index.html'), 'text/html; charset=utf-8'],
  '/app/app.js': [here('app/app.js'), 'text/javascript'],
  '/app/chart.js': [here('app/chart.js'), 'text/javascript'],
  '/app/fhirclient.js': [fhirclient, 'text/javascript'],
  '/requests': [here('requests/index.html'), 'text/html; charset=utf-8'],
  '/requests.js': [here('requests/requests.js'), 'text/javascript'],
  '/style.css': [here('style.css'), 'text/css'],
}

// site returns a request listener.
export function site({ feed, base, origin, appClientId, patients }) {
  return async (request, response) => {
    const { pathname } = new URL(request.url, origin)
    if (pathname === '/') return response.writeHead(302, { Location: '/app/' }).end()
    if (pathname === '/requests/events') return feed.stream(request, response)
    if (pathname === '/launch') {
      return request.method === 'POST' ? startLaunch(request, response, { base }) : launchPage(response, { patients: await patients(), origin })
    }
    if (pathname === '/app/settings.json') {
      return response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ iss: base, clientId: appClientId }))
    }
    const file = files[pathname]
    if (!file) return response.writeHead(404, { 'Content-Type': 'text/plain' }).end(`There is nothing at ${pathname}. The app is at /app/.\n`)
    return response.writeHead(200, { 'Content-Type': file[1], 'Cache-Control': 'no-cache' }).end(await readFile(file[0]))
  }
}
