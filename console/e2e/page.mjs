// A page of the console as a test sees it, and what must hold on every page.
import assert from 'node:assert/strict';
import { join } from 'node:path';

export const sizes = [
  { name: 'desk', width: 1280, height: 800 },
  { name: 'phone', width: 390, height: 844 },
];
export const directions = { en: 'ltr', 'fa-AF': 'rtl', ps: 'rtl', ur: 'rtl' };
export const pages = ['clocks', 'verdicts', 'changes', 'record', 'incidents', 'crossings'];

/** Opens the console; `complaints` collects what the browser says against it. Pages of one node share a browser context, and so
 * a session, for a page in a new context costs three times as much to open; each leaves behind what it found. `apart`: in a
 * context where nobody has signed in. */
export async function open(tools, url, { lang, size = sizes[0], at = 'clocks', dark = false, apart = false }) {
  const of = apart ? `${url} apart` : url;
  tools.contexts ??= new Map();
  if (!tools.contexts.has(of)) {
    tools.contexts.set(of, tools.browser.newContext({ timezoneId: 'UTC', locale: 'en-GB', reducedMotion: 'reduce' }));
  }
  const context = await tools.contexts.get(of);
  const page = await context.newPage();
  await page.setViewportSize({ width: size.width, height: size.height });
  await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
  page.setDefaultTimeout(10_000);
  const complaints = [];
  const origin = new URL(url).origin;
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('request', (request) => {
    const to = request.url();
    if (!to.startsWith('blob:') && new URL(to).origin !== origin) complaints.push(`a request left the origin: ${to}`);
  });
  await page.addInitScript(() => {
    globalThis.cspViolations = [];
    addEventListener('securitypolicyviolation', (e) =>
      globalThis.cspViolations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`),
    );
  });
  await page.goto(`${url}/?lang=${lang}#/${at}`);
  await settled(page);
  const close = async () => {
    await page.evaluate(() => localStorage.clear());
    await page.close();
  };
  return { page, complaints, close, scheme: `${size.name} ${dark ? 'dark' : 'light'}` };
}

/** Fills in the form and sends it. */
export async function signIn(page, { office, password, purpose = 'verification' }) {
  await page.locator('[name=office]').fill(office);
  await page.locator('[name=password]').fill(password);
  await page.locator('[name=purpose]').selectOption(purpose);
  await page.locator('form [type=submit]').click();
}

/** Name, type, what may fill it in, whether it must be filled. */
export function signInFields(page) {
  return page.locator('form').locator('input, select').evaluateAll((all) => all.map((e) => [e.name, e.type, e.autocomplete, e.required]));
}

/** Everything asked for has come, and the font is there. */
export async function settled(page) {
  await page.waitForSelector('main h1');
  await page.waitForFunction(() => !document.querySelector('main [aria-busy="true"]'));
  await page.evaluate(() => document.fonts.ready.then(() => undefined));
}

export async function goTo(page, at) {
  await page.evaluate((hash) => (location.hash = hash), `#/${at}`);
  await page.waitForTimeout(0);
  await settled(page);
}

export async function shot(tools, page, name, { fullPage = true } = {}) {
  if (tools.shots) await page.screenshot({ path: join(tools.shots, `${name}.png`), fullPage });
}

/** Direction, width, names, contrast, policy: what every page keeps in every language. Contrast is three quarters of the time, and
 * no colour depends on language or data: it is measured once for each look (by default the page at hand), size and scheme. */
export async function holds(tools, { page, complaints, scheme }, lang, what, look = what) {
  const seen = await page.evaluate(() => ({
    lang: document.documentElement.lang,
    html: document.documentElement.dir,
    body: document.body.dir,
    over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    csp: globalThis.cspViolations,
    title: document.title,
  }));
  assert.equal(seen.lang, lang, `${what}: language`);
  assert.equal(seen.html, 'ltr', `${what}: html is always left-to-right`);
  assert.equal(seen.body, directions[lang], `${what}: direction of body`);
  assert.equal(seen.over, 0, `${what}: scrolls sideways by ${seen.over} px`);
  assert.deepEqual(seen.csp, [], `${what}: content security policy`);
  assert.ok(seen.title.length > 0, `${what}: has a title`);
  // The renderings of an instant follow the line: the day first, from the right in a right-to-left page.
  const turned = await page.evaluate(() => {
    const forward = document.body.dir === 'rtl' ? -1 : 1;
    return [...document.querySelectorAll('.instant')]
      .filter((instant) => {
        const boxes = [...instant.children].map((child) => child.getBoundingClientRect());
        return boxes.some((b, n) => n > 0 && Math.abs(b.bottom - boxes[n - 1].bottom) < 4 && (b.x - boxes[n - 1].x) * forward < 0);
      })
      .map((instant) => instant.textContent);
  });
  assert.deepEqual(turned, [], `${what}: renderings of an instant stand in the wrong order`);
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(tools.axe);
  tools.contrasted ??= new Set();
  const contrast = !tools.contrasted.has(`${look} ${scheme}`);
  tools.contrasted.add(`${look} ${scheme}`);
  const serious = await page.evaluate(async (contrast) => {
    // Nothing is fetched again for axe: of its rules only two that are off or about sound would read what it preloads.
    const rules = { 'color-contrast': { enabled: contrast } };
    const found = await globalThis.axe.run(document, { resultTypes: ['violations'], preload: false, rules });
    return found.violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map((n) => `${n.html.slice(0, 160)} ${n.failureSummary}`).join('\n   ')}`);
  }, contrast);
  assert.deepEqual(serious, [], `${what}: axe`);
  assert.deepEqual(complaints, [], `${what}: the browser complained`);
}

/** Goes through the page with Tab alone: everything that can be pressed is reached, and seen when it is. */
export async function reachableByKeyboard(page, what) {
  const wanted = await page.evaluate(() => {
    const all = [...document.querySelectorAll('a[href], button:not(:disabled), select, input, summary')];
    const pressable = all.filter((e) => e.checkVisibility({ visibilityProperty: true }));
    pressable.forEach((e, n) => (e.dataset.e2e = String(n)));
    document.activeElement?.blur();
    return pressable.length;
  });
  await page.evaluate(() => getSelection()?.collapse(document.body, 0));
  const reached = new Set();
  for (let n = 0; n < wanted + 5; n += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e?.dataset.e2e) return null;
      const style = getComputedStyle(e);
      return { n: e.dataset.e2e, seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, text: e.textContent };
    });
    if (!at) continue;
    assert.ok(at.seen, `${what}: focus on "${at.text}" is not visible`);
    reached.add(at.n);
  }
  assert.equal(reached.size, wanted, `${what}: pressable ${wanted}, reached by Tab ${reached.size}`);
}

/** Order on the screen, from left to right, of pieces of one line of text. */
export function orderOnScreen(page, selector, texts) {
  return page.evaluate(
    ([selector, texts]) => {
      for (const element of document.querySelectorAll(selector)) {
        const whole = element.textContent ?? '';
        if (!texts.every((text) => whole.includes(text))) continue;
        const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
        const places = [];
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
          for (const text of texts) {
            const start = node.data.indexOf(text);
            if (start < 0) continue;
            const range = document.createRange();
            range.setStart(node, start);
            range.setEnd(node, start + text.length);
            places.push({ text, x: range.getBoundingClientRect().x });
          }
        }
        return places.sort((a, b) => a.x - b.x).map(({ text }) => text);
      }
      return null;
    },
    [selector, texts],
  );
}
