// Login, consent and the choice of a patient.
import { usersPatients } from '../healthlake/finegrained.js'
import { patientOf } from '../launch.js'
import { form, html, page, send } from '../page.js'
import { mayHave } from './provider.js'
import { inWords } from './words.js'

// interactions returns a request listener for /interaction/. context gets what the user chooses, by the grant's id.
export function interactions({ provider, accounts, context, patients }) {
  // choice says whose records the app will get: patients to choose from; undefined where the app needs none.
  function choice({ params }, account, scopes) {
    const launched = scopes.includes('launch') ? patientOf(params.launch) : undefined
    const needed = launched || scopes.some((scope) => scope === 'launch/patient' || scope.startsWith('patient/'))
    if (!needed) return undefined
    const seen = usersPatients(account.fhirUser, patients)
    return { launched, patients: patients.filter(({ id }) => (!launched || id === launched) && seen.includes(id)) }
  }

  async function show(request, response) {
    const details = await provider.interactionDetails(request, response)
    const client = await provider.Client.find(details.params.client_id)
    const account = accounts.get(details.session?.accountId)
    const again = new URL(request.url, provider.issuer).searchParams.has('again')
    if (details.prompt.name === 'login' || !account || again) return send(response, 200, loginPage(details.uid, client, accounts))
    const scopes = scopesOf(details, client)
    return send(response, 200, consentPage(details.uid, client, account, scopes, choice(details, account, scopes)))
  }

  async function finish(request, response) {
    const details = await provider.interactionDetails(request, response)
    const fields = await form(request)
    if (fields.has('account')) return done(request, response, { login: { accountId: fields.get('account') } })
    if (fields.get('answer') !== 'allow') {
      return done(request, response, { error: 'access_denied', error_description: 'The user said no.' })
    }
    const client = await provider.Client.find(details.params.client_id)
    const account = accounts.get(details.session.accountId)
    const asked = scopesOf(details, client)
    const scopes = asked.filter((scope) => fields.getAll('scope').includes(scope))
    const chosen = choice(details, account, asked)
    const patient = chosen?.patients.find(({ id }) => id === fields.get('patient'))?.id
    if (chosen && !patient) return done(request, response, { error: 'access_denied', error_description: `${account.name} may not see this patient.` })
    const grant = new provider.Grant({ accountId: details.session.accountId, clientId: client.clientId })
    grant.addOIDCScope(scopes.join(' '))
    grant.addResourceScope(details.params.resource, scopes.join(' '))
    grant.rejectOIDCScope(asked.filter((scope) => !scopes.includes(scope)).join(' '))
    grant.rejectResourceScope(details.params.resource, asked.filter((scope) => !scopes.includes(scope)).join(' '))
    const grantId = await grant.save()
    if (patient) context.set(grantId, { patient, need_patient_banner: !chosen.launched })
    return done(request, response, { consent: { grantId } })
  }

  const done = (request, response, result) => provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false })

  return (request, response) => (request.method === 'POST' ? finish : show)(request, response)
    .catch((error) => send(response, error.statusCode ?? 500, page('Sign-in', html`<h1>This sign-in is over</h1><p>${error.message}. Start again in the app.</p>`)))
}

const scopesOf = ({ params }, client) => params.scope.split(' ').filter((scope) => mayHave(client, scope))

const loginPage = (uid, client, accounts) => page('Sign in', html`
<header><p class="quiet">Sandbox identity provider</p><h1>Who are you?</h1></header>
<p>${client.clientName ?? client.clientId} wants to sign you in. Choose a person; nobody here has a password.</p>
<form method="post" action="/interaction/${uid}" class="people">
${[...accounts.values()].map((a) => html`<button name="account" value="${a.id}" class="person"><b>${a.name}</b><i>${a.is}</i><span>${a.about}</span></button>`)}
</form>`)

const consentPage = (uid, client, account, scopes, chosen) => page('Allow access', html`
<header><p class="quiet">Signed in as ${account.name} · <a href="/interaction/${uid}?again">somebody else?</a></p>
<h1>${client.clientName ?? client.clientId} asks for access</h1></header>
<form method="post" action="/interaction/${uid}">
${chosen && picker(chosen, account)}
<fieldset><legend>What may it do?</legend>
${scopes.map((scope) => html`<label class="scope${inWords(scope).writes ? ' writes' : ''}"><input type="checkbox" name="scope" value="${scope}" checked>
<span>${inWords(scope).words}<code>${scope}</code></span></label>`)}
</fieldset>
<p class="actions"><button name="answer" value="allow" class="primary"${chosen?.patients.length === 0 ? html` disabled` : ''}>Allow</button>
<button name="answer" value="deny" formnovalidate>Deny</button></p>
</form>`)

function picker({ launched, patients }, account) {
  if (patients.length === 0) return html`<p class="alert">${account.name} may not see ${launched ? 'the patient of this launch' : 'any patient'}.</p>`
  return html`<fieldset class="patients"><legend>${launched ? 'The patient who is open' : patients.length > 1 ? 'Whose record?' : 'The record of'}</legend>
${patients.map((p) => html`<label><input type="radio" name="patient" value="${p.id}" required${patients.length === 1 ? html` checked` : ''}>
<span><b>${[p.name?.[0]?.given?.join(' '), p.name?.[0]?.family].filter(Boolean).join(' ') || p.id}</b><i>${p.birthDate}</i></span></label>`)}</fieldset>`
}
