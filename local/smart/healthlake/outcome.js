// FHIR OperationOutcomes, and the error that becomes one.
import { OperationOutcomeError, getStatus } from '@medplum/core'

// HTTP statuses by issue code. HealthLake's own after a refusal are not documented; these are what HTTP and OAuth mean.
const statuses = { login: 401, forbidden: 403, 'not-supported': 501, timeout: 504, exception: 500 }

// Refusal ends a request. by says who refused it: the front, the function, the role, the scopes or the sandbox.
export class Refusal extends OperationOutcomeError {
  constructor(by, code, diagnostics) {
    super({ resourceType: 'OperationOutcome', issue: [{ severity: 'error', code, diagnostics }] })
    this.by = by
    this.message = diagnostics
  }
}

export const statusOf = (outcome) => statuses[outcome.issue?.[0]?.code] ?? getStatus(outcome)

// HealthLake's own words, as users have seen them.
export const timeout = 'Timeout during custom Idp execution.'

export const notHere = (what) => new Refusal('the sandbox', 'not-supported', `${what} is not in the sandbox.`)
