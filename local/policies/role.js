// What a service role may do on the datastore, by the policies that the templates attach to it.
import { runSimulation } from '@cloud-copilot/iam-simulate'

// mayRole tells whether the role with this ARN may carry out one of HealthLake's actions on the deployment's datastore. A role
// that the deployment does not have may do nothing.
export async function mayRole(deployment, arn, action) {
  const { account } = deployment.context
  const name = arn.split(':role/')[1]
  if (!deployment.resource[arn]) return false
  const simulation = await runSimulation({
    request: {
      principal: `arn:aws:sts::${account}:assumed-role/${name}/healthlake`,
      action: `healthlake:${action}`,
      resource: { resource: deployment.arn.datastore, accountId: account },
      contextVariables: { 'aws:SecureTransport': 'true', 'aws:PrincipalArn': arn, 'aws:PrincipalAccount': account },
    },
    identityPolicies: (deployment.identity[name] ?? []).map((policy, i) => ({ name: `identity ${i}`, policy })),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  }, {})
  if (simulation.resultType !== 'single') throw new Error(JSON.stringify(simulation.errors ?? simulation.resultType))
  return simulation.overallResult === 'Allowed'
}
