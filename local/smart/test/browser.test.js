// The app, the provider's pages and the requests page in a real browser. With SCREENSHOTS=<directory> it also writes the
// pictures of the documentation.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { chromium } from 'playwright-core'
import { startSandbox } from './sandbox.js'

const executablePath = [
  process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find((file) => file && existsSync(file))
const pictures = process.env.SCREENSHOTS
let sandbox, browser

before(async () => {
  assert.ok(executablePath, 'no Chromium: install the package chromium, or name one in CHROMIUM')
  sandbox = await startSandbox()
  browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })
})
after(async () => {
  await browser?.close()
  await sandbox?.stop()
})

// open returns a page of a browser without cookies, with what it complains about.
async function open(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 760 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  page.errors = []
  page.on('pageerror', (error) => page.errors.push(error.message))
  await page.goto(url)
  return page
}

const picture = (page, name, options) => pictures && page.screenshot({ path: path.join(pictures, `${name}.png`), ...options })

// launch signs in from the app's first page and waits for the record.
async function launch(page, { person, patient, wish, consent }) {
  if (wish) await page.check(`[name=wish][value="${wish}"]`)
  await page.click('#sign-in')
  await page.click(`button.person:has-text("${person}")`)
  await page.waitForSelector('button[value=allow]')
  if (patient) await page.check(`label:has-text("${patient}") input`)
  if (consent) await picture(page, consent, { fullPage: true })
  await page.click('button[value=allow]')
  await page.waitForSelector('#observations tr')
}

const refused = async (page, button) => {
  await page.click(button)
  return page.textContent('#tried p')
}

test('standalone launch: log in, pick a patient, see the chart, page on', async () => {
  const page = await open(sandbox.app)
  await launch(page, { person: 'Dr. Lena Brandt', patient: 'Maria Lopez', consent: 'consent' })
  await page.waitForSelector('#chart svg')
  assert.equal(await page.textContent('#name'), 'Maria Lopez')
  assert.equal(await page.locator('#chart circle.first').count(), 12)
  assert.equal(await page.locator('#medications li').count(), 2)
  assert.deepEqual((await page.locator('#scopes li').allTextContents()).slice(0, 2), ['launch/patient', 'patient/*.rs'])
  await page.click('#write')
  await page.waitForSelector('#tried .bad')
  await picture(page, 'app')
  assert.match(await page.textContent('#count'), /^10 of 28$/)
  await page.click('#more')
  await page.waitForFunction(() => document.querySelectorAll('#observations tr').length === 20)
  await page.click('#more')
  await page.waitForFunction(() => document.querySelectorAll('#observations tr').length === 28)
  assert.ok(await page.isHidden('#more'))
  assert.deepEqual(page.errors, [])
})

test('an app that may read is refused a write, and another patient', async () => {
  const page = await open(sandbox.app)
  await launch(page, { person: 'Dr. Lena Brandt', patient: 'Arthur Finch' })
  assert.match(await refused(page, '#write'), /^Refused: change the birth date.*None of the token's scopes permits this on Patient.*403/)
  await page.click('#other')
  await page.waitForSelector('#tried p:has-text("nora-lindqvist")')
  assert.match(await page.textContent('#tried p'), /^Refused: read Patient\/nora-lindqvist.*403/)
})

test('an app that may write changes the record', async () => {
  const page = await open(sandbox.app)
  await launch(page, { person: 'Dr. Lena Brandt', patient: 'Grace Mensah', wish: 'patient/*.cruds' })
  await page.click('#write')
  await page.waitForSelector('#tried .good')
  await page.click('#reload')
  await page.waitForSelector('#facts:has-text("born 1970-01-01")')
})

test('a revoked token is refused', async () => {
  const page = await open(sandbox.app)
  await launch(page, { person: 'Maria Lopez' })
  await page.click('#revoke')
  await page.waitForSelector('#problem:has-text("revoked")')
  await page.click('#reload')
  await page.waitForSelector('#problem:has-text("401")')
})

test('launch from an EHR: no choice of a patient, and not for somebody who may not see this one', async () => {
  const page = await open(sandbox.launch)
  await page.selectOption('[name=patient]', 'leo-virtanen')
  await page.click('text=Launch >> nth=-1')
  await page.click('button.person:has-text("Dr. Lena Brandt")')
  assert.equal(await page.locator('.patients input').count(), 1)
  await page.click('button[value=allow]')
  await page.waitForSelector('#name:has-text("Leo Virtanen")')

  const wrong = await open(sandbox.launch)
  await wrong.selectOption('[name=patient]', 'leo-virtanen')
  await wrong.click('text=Launch >> nth=-1')
  await wrong.click('button.person:has-text("Maria Lopez")')
  await wrong.waitForSelector('.alert:has-text("Maria Lopez may not see the patient of this launch")')
  assert.ok(await wrong.isDisabled('button[value=allow]'))
  await wrong.click('button[value=deny]')
  await wrong.waitForSelector('#problem:has-text("access_denied")')
})

test('a parent sees the child, and can become somebody else', async () => {
  const page = await open(sandbox.app)
  await page.click('#sign-in')
  await page.click('button.person:has-text("Jonas Weber")')
  assert.deepEqual(await page.locator('.patients b').allTextContents(), ['Mia Weber'])
  await page.click('text=somebody else?')
  await page.click('button.person:has-text("Maria Lopez")')
  await page.waitForSelector('.patients b:has-text("Maria Lopez")')
})

test('laboratory results only', async () => {
  const page = await open(sandbox.app)
  await launch(page, { person: 'Maria Lopez', wish: 'patient/Patient.rs patient/Observation.rs?category=laboratory' })
  assert.equal(await page.textContent('#count'), '4 of 4')
  assert.match(await page.textContent('#medications'), /403/)
})

test('the requests page shows each request, without its token, and why it was refused', async () => {
  const page = await open(sandbox.requests)
  await fetch(new URL('Patient', sandbox.base), { headers: { Authorization: 'Bearer made-up-token' } })
  const row = page.locator('tr.line').first()
  await page.waitForSelector('tr.line:has-text("inactive")')
  await row.click()
  const detail = await page.textContent('tr.line + tr')
  assert.match(detail, /The provider says that the token is not active/)
  assert.match(detail, /"bearerToken": "<13 characters>"/)
  assert.ok(!(await page.content()).includes('made-up-token'))
  await row.click()
  await picture(page, 'requests', { clip: { x: 0, y: 0, width: 1000, height: 560 } })
  assert.deepEqual(page.errors, [])
})

test('the app in docs/apps.md', async () => {
  const document = readFileSync(path.resolve(import.meta.dirname, '../../../docs/apps.md'), 'utf8')
  const html = /```html\n(.*?)```/s.exec(document)[1].replaceAll('http://127.0.0.1:8100', new URL(sandbox.base).origin)
  const server = createServer((request, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end(html))
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  try {
    const page = await open(`http://127.0.0.1:${server.address().port}/`)
    await page.click('button.person:has-text("Maria Lopez")')
    await page.click('button[value=allow]')
    await page.waitForSelector('#record:has-text("maria-lopez")')
    assert.equal((await page.textContent('#record')).split('\n').length, 6)
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('dark mode', async () => {
  const page = await open(sandbox.app, { colorScheme: 'dark' })
  const [red, green, blue] = (await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).match(/\d+/g).map(Number)
  assert.ok(red + green + blue < 150, 'the background is not dark')
  await launch(page, { person: 'Dr. Lena Brandt', patient: 'Maria Lopez' })
  await page.waitForSelector('#chart svg')
  await page.click('#write')
  await page.waitForSelector('#tried .bad')
  await picture(page, 'app-dark')
})
