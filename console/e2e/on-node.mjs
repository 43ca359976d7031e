// The console of a real node that has played the golden scenario to its end (H 620).
import assert from 'node:assert/strict';
import { goTo, holds, open, pages, settled, shot, sizes } from './page.mjs';

export async function nodeTests(t, tools, url) {
  const judgment = await (await fetch(`${url}/api/judgment`)).json();

  await t.test('the page shows the verdicts that the node gives', async () => {
    const { page, close } = await open(tools, url, { lang: 'en', at: 'verdicts' });
    const shown = await page.locator('tr.verdict').evaluateAll((rows) =>
      rows.map((row) => [row.querySelector('th bdi').textContent, row.querySelector('.state .word').textContent]),
    );
    await page.locator('.live .on').waitFor();
    assert.deepEqual(shown, judgment.verdicts.map((v) => [v.label, v.state]));
    await close();
  });

  for (const lang of ['en', 'ps']) {
    for (const size of sizes) {
      await t.test(`${lang} at ${size.width}: every page holds`, async () => {
        const view = await open(tools, url, { lang, size });
        for (const at of pages) {
          await goTo(view.page, at);
          await view.page.waitForLoadState('load');
          await holds(tools, view, lang, `${at} ${lang} ${size.width}`, at);
          await shot(tools, view.page, `node-${at}-${lang}-${size.width}`);
        }
        const breached = judgment.verdicts.find((v) => v.state === 'breached' && v.reasons.because.length > 0);
        if (breached) {
          await goTo(view.page, `verdicts?${new URLSearchParams({ open: breached.label })}`);
          await view.page.waitForSelector('.why .times');
          assert.equal(await view.page.locator('tr.open .state.breached').count(), 1);
          await holds(tools, view, lang, `verdict open ${lang} ${size.width}`, 'verdict open');
          await shot(tools, view.page, `node-verdict-open-${lang}-${size.width}`, { fullPage: false });
          // From the verdict to the entry that it cites, and back.
          await view.page.locator('.why a').first().click();
          await settled(view.page);
          await view.page.waitForSelector('.entry .fields');
          await holds(tools, view, lang, `entry ${lang} ${size.width}`, 'entry');
          await shot(tools, view.page, `node-entry-${lang}-${size.width}`);
          await view.page.goBack();
          await view.page.waitForSelector('tr.verdict.open');
        }
        await view.close();
      });
    }
  }

  await t.test('the node gives its page under a policy that lets nothing leave', async () => {
    const answer = await fetch(url);
    const policy = answer.headers.get('content-security-policy') ?? '';
    for (const part of ["default-src 'self'", "object-src 'none'", "frame-ancestors 'none'"]) {
      assert.ok(policy.includes(part), `policy \`${policy}\` lacks ${part}`);
    }
  });
}
