// Scopes in the words of a consent page.
import { parse } from '../healthlake/scopes.js'

const verbs = { c: 'create', r: 'read', u: 'change', d: 'delete', s: 'search' }
const whose = { patient: 'of this patient', user: 'of everybody whom you may see', system: 'of everybody' }
const plain = {
  openid: 'Know who you are', fhirUser: 'Know your own record as a user', profile: 'Know your name',
  offline_access: 'Stay signed in until you withdraw this', online_access: 'Stay signed in while you are',
  launch: 'Know which patient is open', 'launch/patient': 'Know which patient you choose',
}

const list = (words) => [words.slice(0, -1).join(', '), words.at(-1)].filter(Boolean).join(' and ')
const types = (type) => (type === '*' ? 'all records' : `${type.replace(/(?<!^)([A-Z])/g, ' $1').toLowerCase().replace(/y$/, 'ie')}s`)

// inWords says what a scope lets an app do; writes tells whether it lets it change something.
export function inWords(text) {
  const scope = parse(text)
  if (!scope) return { words: plain[text] ?? text, writes: false }
  const { level, type, permissions, filter } = scope
  const what = list([...permissions].map((p) => verbs[p]))
  const only = filter ? `, only with ${decodeURIComponent(filter).replaceAll('&', ' and ')}` : ''
  const words = `${what} ${types(type)} ${whose[level]}${only}`
  return { words: words[0].toUpperCase() + words.slice(1), writes: /[cud]/.test(permissions) }
}
