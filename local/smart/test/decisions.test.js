// What HealthLake accepts of the function, and whom fine-grained authorization lets a user see.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { usersPatients } from '../healthlake/finegrained.js'
import { faultOf, validate } from '../healthlake/function.js'
import { matches } from '../healthlake/records.js'
import { accountsOf } from '../data/load.js'
import { records } from '../data/records.js'

const event = { datastoreEndpoint: 'http://127.0.0.1/r4/', bearerToken: 'x' }
const good = { isAuthorized: true, nbf: 100, exp: 200, aud: event.datastoreEndpoint, scope: 'patient/*.rs' }

test('the response of the function', () => {
  const fault = (change, role = 'arn:aws:iam::1:role/r') => faultOf({ authPayload: { ...good, ...change }, iamRoleARN: role }, event, 150)
  assert.equal(fault({}), undefined)
  assert.equal(fault({ isAuthorized: false, aud: undefined, scope: '', nbf: 150, exp: 150 }), undefined)
  for (const [change, text] of [
    [{ isAuthorized: 'true' }, /isAuthorized/], [{ isAuthorized: undefined }, /isAuthorized/], [{ nbf: '100' }, /nbf/], [{ exp: undefined }, /exp/],
    [{ exp: 150 }, /not valid now/], [{ nbf: 151 }, /not valid now/], [{ aud: 'other' }, /aud/], [{ scope: undefined }, /scope/],
  ]) assert.match(fault(change), text)
  assert.match(fault({}, ''), /iamRoleARN/)
  assert.match(faultOf({ iamRoleARN: 'r' }, event, 150), /isAuthorized|nbf/)
})

test('a function that does not respond within a second', async () => {
  const server = createServer(() => {})
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  try {
    await assert.rejects(validate(`http://127.0.0.1:${server.address().port}/`, event), (error) => {
      assert.equal(error.message, 'Timeout during custom Idp execution.')
      assert.ok(error.call.milliseconds >= 1000)
      return true
    })
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('fine-grained authorization', () => {
  const patients = [
    { id: 'a', generalPractitioner: [{ reference: 'Practitioner/p' }] },
    { id: 'b', generalPractitioner: [{ reference: 'http://127.0.0.1/r4/Practitioner/p' }, { reference: 'Practitioner/q' }] },
    { id: 'c', link: [{ other: { reference: 'Patient/a' } }, { other: { reference: 'RelatedPerson/r' } }] },
  ]
  for (const [user, want] of [
    ['Practitioner/p', 'a b'], ['https://fhir.example/r4/Practitioner/p', 'a b'], ['Practitioner/q', 'b'], ['Practitioner/x', ''],
    ['Patient/a', 'a c'], ['Patient/b', 'b'], ['RelatedPerson/r', 'c'], ['RelatedPerson/a', ''],
    ['Group/a', ''], ['a', ''], ['', ''], [undefined, ''],
  ]) assert.equal(usersPatients(user, patients).join(' '), want, user)
})

test('the filter of a scope', () => {
  const resource = records().find(({ id }) => id === 'maria-lopez-hba1c-3')
  const system = 'http://terminology.hl7.org/CodeSystem/observation-category'
  for (const [filter, want] of [
    ['category=laboratory', true], [`category=${system}|laboratory`, true], ['category=laboratory&status=final', true], ['patient=Patient/maria-lopez', true],
    ['category=vital-signs', false], ['category=laboratory&status=draft', false], ['category=http://other|laboratory', false],
    ['unknown=laboratory', false], ['value-quantity=gt1', false], ['_count=1', false], ['category=laboratory&_count=1', false],
  ]) assert.equal(matches(resource, filter), want, filter)
})

test('people who can log in, of one\'s own records', () => {
  const people = accountsOf(records(), 'directory')
  assert.deepEqual(people.map(({ is }) => is), ['Practitioner', 'Practitioner', 'Patient', 'Patient', 'Patient', 'Patient', 'RelatedPerson'])
  assert.equal(people[0].name, 'Dr. Lena Brandt')
  assert.equal(people[0].about, 'sees 7 patients')
})
