// Evaluates the table's rows on the policies of the synthesized templates, and finds statements that no row needs.
//
//   node check.js <the CDK app's binary>
import { load } from './deployment.js'
import { datastoreActions, evaluate } from './evaluate.js'
import { deployments, sections } from './table.js'

const [app] = process.argv.slice(2)
if (!app) {
  console.error('usage: node check.js <the CDK app, built by go build>')
  process.exit(2)
}
const table = sections(await datastoreActions())

// check returns how many rows it evaluated, and those that did not come out as the table has them.
async function check(deployment) {
  const rows = table.flatMap(([applies, section]) => (applies(deployment) ? section : []))
  const needed = new Set()
  const failures = []
  for (const row of rows) {
    const [who, verdict, action, on, keys] = row
    const { result, statements } = await evaluate(deployment, row).catch((error) => ({ result: error.message, statements: [] }))
    statements.forEach((statement) => needed.add(statement))
    const expected = verdict === 'may' ? ['Allowed'] : ['ImplicitlyDenied', 'ExplicitlyDenied']
    if (!expected.includes(result)) failures.push(`${who} ${verdict} ${action} on ${on} ${show(keys?.(deployment))}: ${result}`)
  }
  const policies = [...Object.values(deployment.identity).flat(), ...Object.values(deployment.resource), deployment.endpoint]
    .filter(Boolean)
  for (const statement of policies.flatMap((policy) => policy.Statement)) {
    if (!needed.has(statement)) failures.push(`a statement that no row needs: ${JSON.stringify(statement)}`)
  }
  return { requests: rows.length, failures }
}

const show = (keys = {}) => `(${Object.entries(keys).map(([key, value]) => `${key} ${value}`).join(', ') || 'no context keys'})`

// Two at a time: each starts the CDK's process.
const names = Object.keys(deployments)
const checked = {}
const waiting = [...names]
const lane = async () => {
  for (let name; (name = waiting.shift()) !== undefined; ) checked[name] = await check(await load(app, deployments[name]))
}
await Promise.all([lane(), lane()])

const width = Math.max(...names.map((name) => name.length))
for (const name of names) {
  for (const failure of checked[name].failures) console.error(`FAIL  ${name.padEnd(width)}  ${failure}`)
}
const sum = (count) => names.reduce((total, name) => total + count(checked[name]), 0)
const rows = table.flatMap(([, section]) => section).length
const failed = sum((c) => c.failures.length)
console.log(`policies  ${rows} rows, ${names.length} deployments, ${sum((c) => c.requests)} requests, ${failed} not as expected`)
process.exit(failed > 0 ? 1 : 0)
