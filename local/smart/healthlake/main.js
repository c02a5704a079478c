// HealthLake's place on this machine, with the demo app and the requests page.
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { deploymentOf } from '../../policies/deployment.js'
import { mayRole } from '../../policies/role.js'
import { resources } from '../data/load.js'
import { feedOf } from '../requests/feed.js'
import { serve, settings } from '../settings.js'
import { site } from '../site.js'
import { names } from './operation.js'
import { all, load } from './records.js'
import { healthLake } from './server.js'

const { port, base, datastoreId, invokeURL, templates, context, reasons, data, appClientId } = await settings()

const files = (await readdir(templates)).filter((name) => name.endsWith('.template.json'))
const deployment = deploymentOf(context, await Promise.all(files.map(async (name) => JSON.parse(await readFile(path.join(templates, name))))))
const identity = deployment.datastore('IdentityProviderConfiguration')

// The policies don't change, and to evaluate one takes a while: all of it before the first request.
const verdicts = new Map()
for (const role of deployment.serviceRoles) {
  for (const name of names) verdicts.set(`${role} ${name}`, await mayRole(deployment, role, name))
}

const repository = await load(await resources(data).catch((error) => {
  console.error(error.message)
  process.exit(1)
}))
const { origin, pathname } = new URL(base)
const feed = feedOf(reasons)
const fhir = healthLake({
  base, repository, invokeURL, report: feed.report, mayRole: (role, name) => verdicts.get(`${role} ${name}`) ?? false,
  datastore: {
    id: datastoreId, name: deployment.datastore('DatastoreName'), strategy: identity.AuthorizationStrategy,
    fineGrained: identity.FineGrainedAuthorizationEnabled, metadata: identity.Metadata,
  },
})
const pages = site({ feed, base, origin, appClientId, patients: () => all(repository, 'Patient') })
serve(port, (request, response) => (request.url.startsWith(pathname) ? fhir : pages)(request, response))
