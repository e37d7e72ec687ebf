// The lab's report in a browser: PAGEWIRE makes the pages, CHROMIUM shows them, light and dark, on a phone and on a desk.
// One is made of invented records, with all that a page has to bear; the other of what the lab has measured here.
//
// Each case prints one line: `ok NAME`, `FAIL NAME: reason` or `skip NAME: reason`. Screenshots go into SCREENSHOTS, for
// whoever wants to look.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import process from 'node:process'

import { chromium } from 'playwright-core'

import { accessibility, drawingContrast, noOverflow, textSize, theme, words } from './checks.mjs'
import { measured } from './lab.mjs'
import { records } from './records.mjs'

const SCREENS = [
  { name: 'phone', width: 390, height: 844 },
  { name: 'desk', width: 1280, height: 900 },
]
// Not screenshots, but windows in which a layout may break.
const WIDTHS = [320, 360, 768, 1119, 1121, 1920]
const LEAST_TEXT_PX = 14
// A4 across, less its margins.
const PAPER_PX = 1030
const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync']

const folder = mkdtempSync(join(tmpdir(), 'pagewire-browser-'))

// A report. Its records are asked for when its first case runs; `suffix` ends the names of its cases.
class Report {
  constructor(suffix, lines) {
    this.suffix = suffix
    this.lines = lines
    this.dir = join(folder, `report${suffix}`)
    this.url = pathToFileURL(join(this.dir, 'index.html')).href
  }

  // Makes it, once; what fails then fails every case of it.
  make() {
    this.made ??= this.attempt()
    if (this.made.error) throw this.made.error
  }

  attempt() {
    try {
      const file = join(folder, `records${this.suffix}.jsonl`)
      writeFileSync(file, this.lines())
      execFileSync(process.env.PAGEWIRE, ['lab', 'report', file, '--dir', this.dir], { stdio: ['ignore', 'ignore', 'inherit'] })
      return {}
    } catch (error) {
      return { error }
    }
  }

  screenshot(page, name) {
    const path = join(process.env.SCREENSHOTS ?? folder, `report${this.suffix}-${name}.png`)
    return page.screenshot({ path, fullPage: true })
  }
}

const INVENTED = new Report('', () => records.map((record) => `${JSON.stringify(record)}\n`).join(''))
const MEASURED = new Report('_of_this_machine', () => measured(folder))

const cases = []
const add = (report, name, run) => cases.push({ name: `${name}${report.suffix}`, report, run })

// A page that must not ask for anything nor complain about anything.
async function open(browser, { url }, { width, height = 800 }, colorScheme) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme })
  const page = await context.newPage()
  const trouble = []
  page.on('console', (message) => message.type() === 'error' && trouble.push(message.text()))
  page.on('pageerror', (error) => trouble.push(String(error)))
  page.on('request', (request) => request.url() !== url && !request.url().startsWith('data:') && trouble.push(`asks for ${request.url()}`))
  page.on('dialog', (dialog) => { trouble.push(`a dialog: ${dialog.message()}`); dialog.dismiss() })
  await page.goto(url, { waitUntil: 'load' })
  return { page, trouble, close: () => context.close() }
}

for (const report of [INVENTED, MEASURED]) {
  for (const screen of SCREENS) {
    for (const scheme of ['light', 'dark']) {
      add(report, `readable_on_a_${screen.name}_${scheme}`, async (browser) => {
        const { page, trouble, close } = await open(browser, report, screen, scheme)
        await noOverflow(page)
        await textSize(page, LEAST_TEXT_PX)
        await theme(page, scheme)
        await drawingContrast(page)
        await accessibility(page)
        await report.screenshot(page, `${screen.name}-${scheme}`)
        await close()
        if (trouble.length) throw new Error(trouble.join('; '))
      })
    }
  }

  add(report, 'fits_every_width', async (browser) => {
    for (const width of WIDTHS) {
      const { page, close } = await open(browser, report, { width }, 'light')
      await noOverflow(page)
      await textSize(page, LEAST_TEXT_PX)
      await close()
    }
  })

  add(report, 'every_drawing_has_words_and_a_table', async (browser) => {
    const { page, close } = await open(browser, report, SCREENS[1], 'light')
    await words(page)
    await close()
  })

  add(report, 'paper_is_light_has_everything_and_cuts_nothing_off', async (browser) => {
    const { page, close } = await open(browser, report, { width: PAPER_PX }, 'dark')
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
    await theme(page, 'light')
    await noOverflow(page)
    const folded = await page.evaluate(() => [...document.querySelectorAll('details table')].filter((table) => !table.checkVisibility({ contentVisibilityAuto: true })).length)
    await report.screenshot(page, 'paper')
    await close()
    if (folded) throw new Error(`${folded} tables are not printed`)
  })

  add(report, 'the_records_lie_beside_the_page', async (browser) => {
    const { page, close } = await open(browser, report, SCREENS[1], 'light')
    const links = await page.locator('footer a').evaluateAll((links) => links.map((link) => link.getAttribute('href')))
    await close()
    const missing = links.filter((link) => !existsSync(join(report.dir, link)))
    if (!links.length || missing.length) throw new Error(`links ${links}, missing ${missing}`)
  })
}

add(MEASURED, 'every_section_has_something_to_say', async (browser) => {
  const { page, close } = await open(browser, MEASURED, SCREENS[1], 'light')
  const sections = await page.locator('section').evaluateAll((all) => all.map(({ id, innerText }) => [id, innerText]))
  await close()
  const said = Object.fromEntries(sections)
  const silent = ['says', 'machine', 'cost', 'throughput', 'copies', 'claims'].filter((id) => !(said[id]?.length > 100))
  const nonsense = sections.filter(([, text]) => /NaN|undefined|Infinity/.test(text)).map(([id]) => id)
  if (silent.length || nonsense.length) throw new Error(`silent: ${silent}; nonsense: ${nonsense}`)
})

add(INVENTED, 'names_from_outside_stay_text', async (browser) => {
  const { page, trouble, close } = await open(browser, INVENTED, SCREENS[1], 'light')
  const images = await page.locator('img, script').count()
  await close()
  if (images || trouble.length) throw new Error(`${images} elements; ${trouble.join('; ')}`)
})

async function run() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS })
  let failed = 0
  const named = process.argv.slice(2)
  for (const { name, report, run } of cases.filter(({ name }) => !named.length || named.includes(name))) {
    try {
      report.make()
      await run(browser)
      console.log(`ok ${name}`)
    } catch (error) {
      failed += 1
      console.log(`FAIL ${name}: ${String(error.message ?? error).replaceAll('\n', ' ')}`)
    }
  }
  await browser.close()
  return failed
}

try {
  process.exitCode = (await run()) ? 1 : 0
} finally {
  rmSync(folder, { recursive: true, force: true })
}
