// The launch from an EHR: somebody has a patient open and starts an app (SMART App Launch, "EHR launch").
import { form, html, page, send } from './page.js'

export function launchPage(response, { patients, origin }) {
  send(response, 200, page('Launch an app', html`
<header><p class="quiet">In the place of an EHR</p><h1>Launch an app</h1></header>
<p>An EHR opens an app for the patient on the screen. It tells the app where the records are (<code>iss</code>) and gives it a handle
for the context (<code>launch</code>).</p>
<form method="post" action="/launch">
<label class="field">The app's launch URL<input type="url" name="app" value="${origin}/app/" required></label>
<label class="field">The patient on the screen<select name="patient">
${patients.map((p) => html`<option value="${p.id}">${[p.name?.[0]?.given?.join(' '), p.name?.[0]?.family].filter(Boolean).join(' ') || p.id}, ${p.birthDate}</option>`)}
</select></label>
<p class="actions"><button class="primary">Launch</button></p>
</form>`))
}

// The handle of a launch is opaque to the app. Here it holds the patient, so that the provider need not ask for it.
const handleOf = (patient) => Buffer.from(JSON.stringify({ patient })).toString('base64url')

// patientOf returns the id of the patient of a launch; undefined if there is none.
export function patientOf(handle) {
  try {
    return JSON.parse(Buffer.from(handle, 'base64url')).patient
  } catch {
    return undefined
  }
}

// startLaunch opens the app.
export async function startLaunch(request, response, { base }) {
  const fields = await form(request)
  const app = URL.parse(fields.get('app'))
  if (!/^https?:$/.test(app?.protocol)) return send(response, 400, page('Launch an app', html`<h1>This is not a URL of an app</h1>`))
  app.searchParams.set('iss', base)
  app.searchParams.set('launch', handleOf(fields.get('patient')))
  return response.writeHead(303, { Location: app.href }).end()
}
