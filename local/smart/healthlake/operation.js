// From an HTTP request to HealthLake's name of the operation (the event's operationName, and the IAM action's name), and to
// the permission that SMART asks for. Pure.

// The forms that the guide has, first match wins. permission is SMART's letter; none: each record is checked by itself, or
// the operation is a backend service's. served is false for what the sandbox only checks and does not carry out.
const forms = [
  { method: 'GET', path: 'metadata', name: 'GetCapabilities' },
  { method: 'POST', path: '', name: 'ProcessBundle' },
  { method: 'GET', path: 'Patient/:id/$everything', name: 'SearchEverything', permission: 'r' },
  { method: 'GET', path: ':type/:id/_history/:version', name: 'VersionReadResource', permission: 'r' },
  { method: 'GET', path: ':type/:id/_history', name: 'GetHistoryByResourceId', permission: 'r' },
  { method: 'POST', path: ':type/_search', name: 'SearchWithPost', permission: 's' },
  { method: 'GET', path: 'Patient/$export', name: 'StartFHIRExportJobWithGet', served: false },
  { method: 'GET', path: 'Group/:id/$export', name: 'StartFHIRExportJobWithGet', served: false },
  { method: 'POST', path: '$export', name: 'StartFHIRExportJobWithPost', served: false },
  { method: 'GET', path: 'export/:id', name: 'DescribeFHIRExportJobWithGet', served: false },
  { method: 'DELETE', path: 'export/:id', name: 'CancelFHIRExportJobWithDelete', served: false },
  { method: 'POST', path: ':type/$validate', name: 'ValidateResource', served: false },
  { method: 'GET', path: 'ValueSet/$expand', name: 'ExpandValueSetWithGet', served: false },
  { method: 'GET', path: 'CodeSystem/$lookup', name: 'LookupCodeSystemWithGet', served: false },
  { method: 'GET', path: ':type/:id', name: 'ReadResource', permission: 'r' },
  { method: 'GET', path: ':type', name: 'SearchWithGet', permission: 's' },
  { method: 'POST', path: ':type', name: 'CreateResource', permission: 'c' },
  { method: 'PUT', path: ':type/:id', name: 'UpdateResource', permission: 'u' },
  { method: 'PUT', path: ':type', name: 'UpdateResource', permission: 'u' },
  { method: 'PATCH', path: ':type/:id', name: 'PatchResource', permission: 'u' },
  { method: 'DELETE', path: ':type/:id', name: 'DeleteResource', permission: 'd' },
  { method: 'DELETE', path: ':type', name: 'DeleteResource', permission: 'd' },
]

const segment = { ':type': '([A-Z][A-Za-z]+)', ':id': '([A-Za-z0-9.-]{1,64})', ':version': '[A-Za-z0-9.-]{1,64}' }
for (const form of forms) {
  const pattern = form.path.split('/').map((part) => segment[part] ?? part.replaceAll('$', '\\$')).join('/')
  form.matches = new RegExp(`^${pattern}$`)
  form.typed = form.path.startsWith(':type')
}

export const names = [...new Set(forms.map(({ name }) => name))]

// operationOf returns {name, permission, served, type, id} of a request whose path is relative to the FHIR base URL, or
// undefined where HealthLake has no such operation.
export function operationOf(method, path) {
  for (const { method: of, matches, typed, name, permission, served = true, path: form } of forms) {
    const found = of === method && matches.exec(path.replace(/\/$/, ''))
    if (!found) continue
    const [type, id] = typed ? [found[1], found[2]] : [form.split('/')[0], found[1]]
    return { name, permission, served, type, id }
  }
  return undefined
}
