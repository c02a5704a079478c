// The demo app: SMART App Launch with fhirclient, standalone and from an EHR. It knows the server's URL and its client id, and
// nothing else of the sandbox.
import { chart } from './chart.js'

const $ = (id) => document.getElementById(id)
const settings = await (await fetch('/app/settings.json')).json()
const here = location.origin + location.pathname
const identity = 'openid fhirUser offline_access'

async function start() {
  const query = new URLSearchParams(location.search)
  if (query.has('error')) {
    complain(`${query.get('error')}: ${query.get('error_description') ?? ''}`)
    history.replaceState(null, '', here)
    sessionStorage.clear()
  } else if (query.has('launch')) {
    return authorize({ iss: query.get('iss'), launch: query.get('launch'), scope: `launch patient/*.rs ${identity}` })
  } else if (query.has('code') || sessionStorage.getItem('SMART_KEY')) {
    const client = await FHIR.oauth2.ready()
    return show(client)
  }
  $('welcome').hidden = false
  return undefined
}

const authorize = (options) => FHIR.oauth2.authorize({ clientId: settings.clientId, redirectUri: here, ...options })

$('sign-in').onclick = attempt(() => {
  const wish = document.querySelector('[name=wish]:checked').value
  return authorize({ iss: settings.iss, scope: `launch/patient ${wish} ${identity}` })
})

async function show(client) {
  $('record').hidden = false
  const id = client.patient.id
  $('reload').onclick = attempt(() => records(client, id))
  $('revoke').onclick = attempt(async () => { await revoke(client); say('The token is revoked. Read again, and see it refused.') })
  $('sign-out').onclick = attempt(async () => { await revoke(client); sessionStorage.clear(); location.href = here })
  $('write').onclick = () => attemptTo('change the birth date', () => changeBirthDate(client, id))
  $('other').onclick = () => attemptTo('read Patient/nora-lindqvist', () => client.request('Patient/nora-lindqvist'))
  await permissions(client)
  await records(client, id)
}

async function records(client, id) {
  complain('')
  const person = await client.request(`Patient/${id}`)
  $('name').textContent = nameOf(person)
  $('initials').textContent = nameOf(person).split(' ').map((word) => word[0]).join('').slice(0, 2)
  $('facts').textContent = `born ${person.birthDate} · ${person.gender} · ${person.identifier?.[0]?.value ?? id}`
  await Promise.all([
    pressure(client, id),
    list('medications', client, `MedicationRequest?patient=${id}`, (m) => [m.medicationCodeableConcept?.text, m.dosageInstruction?.[0]?.text]),
    list('conditions', client, `Condition?patient=${id}`, (c) => [c.code?.text, `since ${c.onsetDateTime?.slice(0, 7)}`]),
    observations(client, `Observation?patient=${id}&_sort=-date&_count=10`, true),
  ])
}

async function pressure(client, id) {
  const bundle = await client.request(`Observation?patient=${id}&code=http://loinc.org|85354-9&_sort=date&_count=50`)
    .catch((error) => ({ refused: error }))
  const part = (o, code) => o.component.find((c) => c.code.coding[0].code === code).valueQuantity.value
  const points = (bundle.entry ?? []).map(({ resource: o }) => ({ date: o.effectiveDateTime, first: part(o, '8480-6'), second: part(o, '8462-4') }))
  if (points.length === 0) return $('chart').replaceChildren(element('p', 'quiet', 'Nothing that this app may see.'))
  const key = element('p', 'key')
  key.append(element('b', 'first', 'systolic '), element('b', 'second', 'diastolic'), ' in mmHg')
  return $('chart').replaceChildren(chart(points, { label: 'Blood pressure by month', range: [60, 130], unit: 'mmHg' }), key)
}

async function list(into, client, search, words) {
  const rows = await client.request(search).then((bundle) => (bundle.entry ?? []).map(({ resource }) => {
    const [title, more] = words(resource)
    const row = element('li', '', title)
    row.append(element('small', '', more))
    return row
  })).catch((error) => [element('li', 'bad', reason(error))])
  $(into).replaceChildren(...(rows.length ? rows : [element('li', 'quiet', 'None.')]))
}

async function observations(client, url, first) {
  const bundle = await client.request(url)
  const rows = (bundle.entry ?? []).map(({ resource: o }) => {
    const row = element('tr')
    const value = o.valueQuantity ? `${o.valueQuantity.value} ${o.valueQuantity.unit}` : o.component?.map((c) => c.valueQuantity.value).join(' / ')
    row.append(element('td', '', o.effectiveDateTime.slice(0, 10)), element('td', '', o.code.text), element('td', 'number', value))
    return row
  })
  if (first) $('observations').replaceChildren()
  $('observations').append(...rows)
  $('count').textContent = `${$('observations').rows.length} of ${bundle.total}`
  const next = bundle.link?.find((link) => link.relation === 'next')?.url
  $('more').hidden = !next
  $('more').onclick = attempt(() => observations(client, next, false))
}

async function permissions(client) {
  const { scope, expires_in: seconds, patient } = client.state.tokenResponse
  $('who').textContent = `You are ${client.user.fhirUser?.split('/').slice(-2).join('/') ?? 'nobody known'}. For ${Math.round(seconds / 60)} minutes this app may, for Patient/${patient}:`
  $('scopes').replaceChildren(...scope.split(' ').map((s) => element('li', '', s)))
}

const changeBirthDate = async (client, id) => {
  const person = await client.request(`Patient/${id}`)
  return client.update({ ...person, birthDate: '1970-01-01' })
}

async function attemptTo(what, action) {
  const result = element('p')
  try {
    await action()
    result.append(element('b', 'good', 'Allowed: '), what)
  } catch (error) {
    result.append(element('b', 'bad', 'Refused: '), `${what}. ${reason(error)}`)
  }
  $('tried').replaceChildren(result)
}

// SMART servers say in their discovery document where tokens are revoked (RFC 7009).
async function revoke(client) {
  const discovery = await (await fetch(`${client.state.serverUrl.replace(/\/$/, '')}/.well-known/smart-configuration`)).json()
  const { access_token: access, refresh_token: refresh } = client.state.tokenResponse
  for (const token of [refresh, access].filter(Boolean)) {
    await fetch(discovery.revocation_endpoint, { method: 'POST', body: new URLSearchParams({ token, client_id: settings.clientId }) })
  }
  delete client.state.tokenResponse.refresh_token
}

const nameOf = ({ name: [{ given, family }] }) => `${given.join(' ')} ${family}`
// fhirclient's errors have the status and the response in their text.
const reason = (error) => {
  const text = error?.message ?? String(error)
  const diagnostics = /"(?:diagnostics|text)": "([^"]*)"/.exec(text)?.[1]
  return diagnostics ? `${diagnostics} (${text.split(/\s/)[0]})` : text
}

function element(name, className = '', text = '') {
  const made = document.createElement(name)
  made.className = className
  made.textContent = text
  return made
}

function complain(text) {
  $('problem').textContent = text
  $('problem').hidden = !text
}
const say = complain

function attempt(action) {
  return () => Promise.resolve().then(action).catch((error) => complain(reason(error)))
}

await attempt(start)()
