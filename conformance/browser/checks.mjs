// What a page may not do on any screen. Each check throws with what it found.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const some = (found) => found.slice(0, 5).join('; ')

// The body never scrolls sideways: what is wide scrolls in a box of its own.
export async function noOverflow(page) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
  if (wide > window) throw new Error(`the page is ${wide} px wide in a window of ${window}`)
}

// Text is legible without zooming, also in drawings, which the layout may scale.
export async function textSize(page, least) {
  const small = await page.evaluate((least) => {
    const shown = (element) => element.checkVisibility()
    const size = (element) => {
      const own = parseFloat(getComputedStyle(element).fontSize)
      const drawing = element.closest('svg')
      return drawing ? (own * drawing.getBoundingClientRect().width) / drawing.viewBox.baseVal.width : own
    }
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const found = []
    while (texts.nextNode()) {
      const element = texts.currentNode.parentElement
      if (!texts.currentNode.data.trim() || !shown(element) || element.closest('title, desc')) continue
      if (size(element) < least - 0.01) found.push(`${size(element)} px: ${texts.currentNode.data.trim().slice(0, 40)}`)
    }
    return found
  }, least)
  if (small.length) throw new Error(`${small.length} texts below ${least} px: ${some(small)}`)
}

// Marks and texts of drawings stand out from the page: 3 to 1 and 4.5 to 1. (axe does not look into drawings.)
export async function drawingContrast(page) {
  const faint = await page.evaluate(() => {
    const parts = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map(Number)
    const luminance = (colour) => {
      const linear = parts(colour).map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
      return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }
    const contrast = (one, other) => {
      const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a)
      return (high + 0.05) / (low + 0.05)
    }
    const ground = getComputedStyle(document.documentElement).backgroundColor
    const found = new Set()
    for (const text of document.querySelectorAll('svg text')) {
      const fill = getComputedStyle(text).fill
      if (contrast(fill, ground) < 4.5) found.add(`text ${fill} on ${ground}`)
    }
    for (const swatch of document.querySelectorAll('.key polyline, .key circle[stroke="none"], .key polygon')) {
      const style = getComputedStyle(swatch)
      const colour = style.stroke === 'none' ? style.fill : style.stroke
      // The inside of a hollow marker is the page's own colour.
      if (colour !== ground && contrast(colour, ground) < 3) found.add(`mark ${colour} on ${ground}`)
    }
    return [...found]
  })
  if (faint.length) throw new Error(some(faint))
}

// The drawings follow the theme: the page's own colours, not those they were drawn in.
export async function theme(page, scheme) {
  const dark = await page.evaluate(() => {
    const sum = (colour) => colour.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0)
    const text = getComputedStyle(document.querySelector('.plot text')).fill
    return sum(getComputedStyle(document.documentElement).backgroundColor) < sum(text)
  })
  if (dark !== (scheme === 'dark')) throw new Error(`asked for ${scheme}, the page is ${dark ? 'dark' : 'light'}`)
}

// The rules of WCAG 2 that a program can check.
export async function accessibility(page) {
  await page.evaluate(axe)
  const violations = await page.evaluate(async () => {
    const rules = { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }
    const { violations } = await globalThis.axe.run({ runOnly: rules })
    return violations.map(({ id, nodes }) => `${id} at ${nodes[0].target} (${nodes.length})`)
  })
  if (violations.length) throw new Error(some(violations))
}

// Every drawing says what it shows, and its figures stand in a table as well.
export async function words(page) {
  const missing = await page.evaluate(() => {
    const found = []
    for (const drawing of document.querySelectorAll('.plot svg')) {
      const named = (drawing.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent)
      if (named.length < 2 || !named.every(Boolean)) found.push('a drawing without title and description')
      if (!drawing.closest('article, section').querySelector('table')) found.push(`no table beside ${named[0]}`)
    }
    return found
  })
  if (missing.length) throw new Error(some(missing))
}
