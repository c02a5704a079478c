// The identity provider: oidc-provider, the pages of an interaction, and faults on the introspection endpoint. It is a process
// of its own, so that no search in HealthLake's place makes it slow.
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { accountsOf, resources } from '../data/load.js'
import { serve, settings } from '../settings.js'
import { interactions } from './interaction.js'
import { makeProvider } from './provider.js'

const { issuer, base, resourceServer, faults, data } = await settings()

const clients = [
  {
    client_id: 'sandbox-app', client_name: 'Sandbox app', application_type: 'native', token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], redirect_uris: ['http://127.0.0.1/'],
  },
  {
    client_id: 'sandbox-backend', client_name: 'Sandbox backend service', client_secret: 'sandbox-secret',
    grant_types: ['client_credentials'], response_types: [], redirect_uris: [],
  },
  // The function itself, which introspects.
  { client_id: resourceServer.id, client_secret: resourceServer.secret, grant_types: [], response_types: [], redirect_uris: [] },
]

const records = await resources(data)
const patients = records.filter(({ resourceType }) => resourceType === 'Patient')
const accounts = new Map(accountsOf(records, data).map((person) => [person.id, { ...person, fhirUser: base + person.fhirUser }]))
const context = new Map()
const provider = makeProvider({ issuer, audience: base, clients, accounts, context })
const interact = interactions({ provider, accounts, context, patients })
const callback = provider.callback()
const style = readFileSync(new URL('../style.css', import.meta.url))

serve(Number(new URL(issuer).port), async (request, response) => {
  if (request.url === '/style.css') return response.writeHead(200, { 'Content-Type': 'text/css' }).end(style)
  if (request.url.startsWith('/interaction/')) return interact(request, response)
  if (request.url.startsWith('/introspect')) {
    if (faults.down) return request.socket.destroy()
    if (Math.random() < faults.stall) return undefined // no response, ever
    if (faults.latency) await setTimeout(faults.latency)
  }
  return callback(request, response)
})
