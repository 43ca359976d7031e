// Passkeys of an office at a real node, with devices that Chromium plays (DevTools protocol, domain WebAuthn).
import assert from 'node:assert/strict';
import { goTo, holds, open, reachableByKeyboard, settled, shot, signIn, sizes } from './page.mjs';

export async function passkeyTests(t, tools, url, { office, password }) {
  // Browsers have passkeys for names only.
  const named = url.replace('127.0.0.1', 'localhost');

  await t.test('at a number or in the clear the page says why there are no passkeys, and where there are', async () => {
    const view = await open(tools, url, { lang: 'en', at: 'signin', apart: true });
    await view.page.getByText('Passkeys need a name and https, or localhost.').waitFor();
    assert.equal(await view.page.locator('button.passkey').count(), 0);
    assert.equal(await view.page.locator('form a').getAttribute('href'), `${named}/?lang=en#/signin`);
    await shot(tools, view.page, 'node-signin-number-en-1280');
    const asked = await fetch(`${url}/api/passkeys/challenge`, { method: 'POST', headers: { origin: url } });
    assert.deepEqual([asked.status, (await asked.json()).type], [403, 'urn:hamsaya:problem:no_passkeys']);
    await view.close();
  });

  await t.test('an office adds a passkey, signs in with it, adds another officer’s and removes the first', async () => {
    const view = await open(tools, named, { lang: 'en', at: 'passkeys' });
    const { page, complaints } = view;
    const protocol = await page.context().newCDPSession(page);
    await protocol.send('WebAuthn.enable');
    const device = async () => {
      const options = {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      };
      return (await protocol.send('WebAuthn.addVirtualAuthenticator', { options })).authenticatorId;
    };
    const first = await device();
    const held = async (authenticatorId) => (await protocol.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
    const status = (words) => page.getByRole('status').getByText(words).waitFor();
    const alert = (words) => page.getByRole('alert').getByText(words).waitFor();

    // It is the office's own: who is not signed in is asked to.
    await signIn(page, { office, password });
    await page.getByRole('button', { name: 'Add a passkey' }).waitFor();
    // A node that runs on keeps what an earlier test left.
    const { passkeys } = await (await page.request.get(`${named}/api/passkeys`)).json();
    for (const { label } of passkeys) await page.request.delete(`${named}/api/passkeys/${label}`);
    await page.reload();
    await page.getByText('This office has no passkey yet.').waitFor();
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await status('key-1 was added.');
    await page.locator('tbody tr').getByText('localhost').waitFor();
    const [credential] = await held(first);
    assert.deepEqual([credential.rpId, credential.isResidentCredential], ['localhost', true]);
    assert.equal(Buffer.from(credential.userHandle, 'base64').length, 32, 'random bytes, no name');
    // One device holds one of them.
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await alert('This device has a passkey of this office already.');
    assert.equal(await page.locator('tbody tr').count(), 1);

    // In again, without office and password; why it is read is asked all the same.
    const signOut = async () => {
      await page.locator('.session button').click();
      await page.waitForSelector('[name=password]');
    };
    const withPasskey = () => page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await signOut();
    await goTo(page, 'verdicts');
    await withPasskey();
    assert.equal(await page.evaluate(() => document.activeElement.name), 'purpose');
    assert.equal((await (await page.request.get(`${named}/api/session`)).json()).office, null);
    await page.locator('[name=purpose]').selectOption('verification');
    await withPasskey();
    await page.waitForSelector('tr.verdict');
    assert.equal((await (await page.request.get(`${named}/api/session`)).json()).office, office);
    assert.equal(await page.evaluate(() => document.cookie), '', 'the cookie is out of reach of the page');
    await page.locator('.session').getByText(office, { exact: true }).waitFor();
    assert.ok((await held(first))[0].signCount > credential.signCount);
    assert.deepEqual(complaints, []);

    // A device that does not verify who holds it gives nothing.
    await signOut();
    await protocol.send('WebAuthn.setUserVerified', { authenticatorId: first, isUserVerified: false });
    await page.locator('[name=purpose]').selectOption('verification');
    await withPasskey();
    await alert('The device gave no answer');
    await holds(tools, view, 'en', 'no answer', 'no answer');
    await shot(tools, page, 'node-passkey-no-answer-en-1280');
    await protocol.send('WebAuthn.setUserVerified', { authenticatorId: first, isUserVerified: true });
    await withPasskey();
    await page.waitForSelector('tr.verdict');

    // Another officer's device, while the first is not there.
    await goTo(page, 'passkeys');
    const away = (await held(first))[0];
    await protocol.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: first });
    const second = await device();
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await status('key-2 was added.');
    assert.equal((await held(second)).length, 1);

    // Removed, it ends the session that it opened, and opens none.
    await page.getByRole('button', { name: 'Remove key-1' }).click();
    await page.getByText('Remove key-1?').waitFor();
    await page.getByRole('button', { name: 'Keep it' }).click();
    assert.equal(await page.locator('tbody tr').count(), 2);
    await page.getByRole('button', { name: 'Remove key-1' }).click();
    await page.getByRole('button', { name: 'Remove', exact: true }).click();
    await page.waitForSelector('.ended');
    await protocol.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: second });
    const back = await device();
    await protocol.send('WebAuthn.addCredential', { authenticatorId: back, credential: away });
    await page.locator('[name=purpose]').selectOption('verification');
    complaints.length = 0;
    await withPasskey();
    await alert('The node did not take this passkey.');
    assert.ok(complaints.splice(0).every((c) => c.includes('401')));
    await shot(tools, page, 'node-passkey-refused-en-1280');
    await view.close();
  });

  for (const lang of ['en', 'ur']) {
    for (const size of sizes) {
      await t.test(`${lang} at ${size.width}: signing in and passkeys hold`, async () => {
        const view = await open(tools, named, { lang, size, at: 'signin', apart: true });
        const { page } = view;
        await page.waitForSelector('button.passkey');
        await holds(tools, view, lang, `sign in by name ${lang} ${size.width}`, 'sign in by name');
        await shot(tools, page, `node-signin-name-${lang}-${size.width}`);
        await reachableByKeyboard(page, 'sign in by name');
        await goTo(page, 'passkeys');
        await signIn(page, { office, password });
        await page.waitForSelector('tbody tr');
        await settled(page);
        await holds(tools, view, lang, `passkeys ${lang} ${size.width}`, 'passkeys');
        await shot(tools, page, `node-passkeys-${lang}-${size.width}`);
        await reachableByKeyboard(page, 'passkeys');
        await page.locator('tbody button').click();
        await page.waitForSelector('tbody .ask');
        await holds(tools, view, lang, `passkey to remove ${lang} ${size.width}`, 'passkey to remove');
        await shot(tools, page, `node-passkey-remove-${lang}-${size.width}`, { fullPage: false });
        await page.locator('.session button').click();
        await page.waitForSelector('[name=password]');
        await view.close();
      });
    }
  }
}
