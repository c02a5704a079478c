// The records that the sandbox begins with: the synthetic ones, or those of a directory.
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { usersPatients } from '../healthlake/finegrained.js'
import { accounts } from './people.js'
import { records } from './records.js'

// resources returns them. A directory has .ndjson files with a resource a line, and .json files with a resource or a bundle.
export async function resources(directory) {
  if (!directory) return records()
  const names = (await readdir(directory)).filter((name) => /\.(nd)?json$/.test(name)).sort()
  const all = await Promise.all(names.map(async (name) => read(name, await readFile(path.join(directory, name), 'utf8'))))
  return all.flat()
}

function read(name, text) {
  const parse = (json, where) => {
    try {
      const resource = JSON.parse(json)
      if (typeof resource?.resourceType === 'string') return resource
    } catch { /* said below */ }
    throw new Error(`DATA: ${where} is not a FHIR resource as JSON; want NDJSON in .ndjson, a resource or a bundle in .json`)
  }
  if (name.endsWith('.ndjson')) {
    return text.split('\n').map((line, i) => line.trim() && parse(line, `${name} line ${i + 1}`)).filter(Boolean)
  }
  const resource = parse(text, name)
  if (resource.resourceType !== 'Bundle') return [resource]
  return bundled(resource.entry ?? [])
}

// bundled returns a bundle's resources, with references to its own entries by urn:uuid replaced.
function bundled(entries) {
  const urls = new Map(entries.filter(({ fullUrl, resource }) => fullUrl?.startsWith('urn:') && resource?.id)
    .map(({ fullUrl, resource }) => [fullUrl, `${resource.resourceType}/${resource.id}`]))
  return JSON.parse(JSON.stringify(entries.map(({ resource }) => resource).filter(Boolean), (key, value) =>
    (key === 'reference' && urls.has(value) ? urls.get(value) : value)))
}

const nameOf = ({ name: [name] = [] }) => [name?.prefix?.[0], ...(name?.given ?? []), name?.family].filter(Boolean).join(' ')
const most = 4 // people of each kind who can log in, of one's own data

// accountsOf returns who can log in: the people of the synthetic records, or some of the directory's who see a patient.
export function accountsOf(all, directory) {
  if (!directory) return accounts
  const patients = all.filter(({ resourceType }) => resourceType === 'Patient')
  return ['Practitioner', 'Patient', 'RelatedPerson'].flatMap((type) =>
    all.filter(({ resourceType }) => resourceType === type).map((person) => ({ person, sees: usersPatients(`${type}/${person.id}`, patients).length }))
      .filter(({ sees }) => sees > 0).slice(0, most).map(({ person, sees }) => ({
        id: `${type.toLowerCase()}-${person.id}`, name: nameOf(person) || person.id, is: type,
        about: `sees ${sees} patient${sees > 1 ? 's' : ''}`, fhirUser: `${type}/${person.id}`,
      })))
}
