// HealthLake's call of the function: the event, one second, and the response's required fields (HealthLake developer guide,
// "Token validation using AWS Lambda").
import { Refusal, timeout } from './outcome.js'

export const timeLimit = 1000

// validate asks the function about a token. It returns the response and the function's log line; a refusal has both too, as
// far as there are any, in its property call. url is where the function is invoked, as Lambda's Invoke API has it.
export async function validate(url, event, now = () => Date.now()) {
  const begin = performance.now()
  const call = { event, milliseconds: 0 }
  const refuse = (code, text) => Object.assign(new Refusal('the function', code, text), { call })
  let failed
  try {
    const response = await fetch(url, {
      method: 'POST', body: JSON.stringify(event), signal: AbortSignal.timeout(timeLimit), headers: { 'X-Amz-Log-Type': 'Tail' },
    })
    call.response = await response.json()
    failed = response.headers.get('X-Amz-Function-Error')
    call.log = logLine(response.headers.get('X-Amz-Log-Result'))
  } catch (error) {
    call.milliseconds = performance.now() - begin
    if (error.name === 'TimeoutError') throw refuse('timeout', timeout)
    throw refuse('exception', 'The function cannot be invoked.')
  }
  call.milliseconds = performance.now() - begin
  if (failed) throw refuse('exception', `The function failed: ${call.response.errorType}.`)
  const fault = faultOf(call.response, event, now() / 1000)
  if (fault) throw refuse('exception', `The function's response is not usable: ${fault}.`)
  if (!call.response.authPayload.isAuthorized) throw refuse('login', 'The access token was refused.')
  return call
}

// The last line of the log that the function wrote about this call.
function logLine(encoded) {
  if (!encoded) return undefined
  const lines = Buffer.from(encoded, 'base64').toString().trim().split('\n')
  return JSON.parse(lines.at(-1))
}

// faultOf says what HealthLake could not accept in a response.
export function faultOf({ authPayload: claims, iamRoleARN }, event, now) {
  const seconds = ['nbf', 'exp'].find((name) => !Number.isInteger(claims?.[name]))
  if (!claims || typeof claims.isAuthorized !== 'boolean') return 'isAuthorized is not a boolean'
  if (seconds) return `${seconds} is not a whole number`
  if (typeof iamRoleARN !== 'string' || !iamRoleARN) return 'iamRoleARN is missing'
  if (!claims.isAuthorized) return undefined
  if (now < claims.nbf || now >= claims.exp) return 'it is not valid now'
  if (claims.aud !== event.datastoreEndpoint) return 'aud is not the datastore endpoint'
  if (typeof claims.scope !== 'string') return 'scope is not a string'
  return undefined
}
