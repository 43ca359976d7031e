// Passkeys: what the node asks, this browser and a device answer (WebAuthn). PIN and fingerprint never leave the device.
//
//     const obstacle = obstacleHere()             -> null, 'address' or 'browser'
//     await session.signIn({ passkey: await usePasskey(), purpose })
//     const { label } = await makePasskey()       -> 'key-1'
import { Problem, send, type ByPasskey, type Challenge, type NewPasskey, type Passkey } from './api';

/** Why there are no passkeys here: browsers have them over https or at localhost, and by a name only. */
export function obstacleHere(): 'address' | 'browser' | null {
  const isNumber = /^[\d.]+$|:/.test(location.hostname.replace(/^\[|\]$/g, ''));
  if (!isSecureContext || isNumber) return 'address';
  return 'PublicKeyCredential' in globalThis ? null : 'browser';
}

/** The same machine by its name, where this address is its number. */
export function byName(): string | null {
  return location.hostname === '127.0.0.1' ? location.href.replace('127.0.0.1', 'localhost') : null;
}

/** Was cancelled, took too long, or the device has none: browsers do not tell these apart. */
export class NoAnswer extends Error {}
/** The device has a passkey of this office already. */
export class HasOne extends Error {}

export async function usePasskey(): Promise<ByPasskey['passkey']> {
  const { challenge, rp_id, timeout_ms } = await ask();
  const given = (await answered(() =>
    navigator.credentials.get({
      publicKey: { challenge: bytes(challenge), rpId: rp_id, timeout: timeout_ms, userVerification: 'required' },
    }),
  )) as PublicKeyCredential;
  const response = given.response as AuthenticatorAssertionResponse;
  return {
    id: text(given.rawId),
    user: text(response.userHandle ?? new ArrayBuffer(0)),
    client_data: text(response.clientDataJSON),
    authenticator_data: text(response.authenticatorData),
    signature: text(response.signature),
  };
}

/** Makes one for the office that is signed in, and gives it to the node. */
export async function makePasskey(): Promise<Passkey> {
  const { challenge, rp_id, timeout_ms, making } = await ask();
  // The session has ended meanwhile.
  if (!making) throw new Problem(403, null, null, null, null, 'urn:hamsaya:problem:right');
  const given = (await answered(() =>
    navigator.credentials.create({
      publicKey: {
        challenge: bytes(challenge),
        rp: { id: rp_id, name: 'Hamsaya' },
        user: { id: bytes(making.user), name: making.office, displayName: making.office },
        pubKeyCredParams: making.algorithms.map((alg) => ({ type: 'public-key', alg })),
        excludeCredentials: making.has.map((id) => ({ type: 'public-key', id: bytes(id) })),
        authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
        attestation: 'none',
        timeout: timeout_ms,
      },
    }),
  )) as PublicKeyCredential;
  const response = given.response as AuthenticatorAttestationResponse;
  const passkey: NewPasskey = {
    client_data: text(response.clientDataJSON),
    authenticator_data: text(response.getAuthenticatorData()),
    // Null where this browser cannot read the device's key: the node says that it takes none.
    public_key: text(response.getPublicKey() ?? new ArrayBuffer(0)),
    algorithm: response.getPublicKeyAlgorithm(),
  };
  return send<Passkey>('POST', '/api/passkeys', passkey);
}

const ask = () => send<Challenge>('POST', '/api/passkeys/challenge');

async function answered(asking: () => Promise<Credential | null>): Promise<Credential> {
  try {
    const given = await asking();
    if (given) return given;
  } catch (failure) {
    if (!(failure instanceof DOMException)) throw failure;
    if (failure.name === 'InvalidStateError') throw new HasOne();
  }
  throw new NoAnswer();
}

/** Base64url without padding, as the node writes bytes. */
export function text(given: ArrayBuffer): string {
  const plain = btoa(String.fromCharCode(...new Uint8Array(given)));
  return plain.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

export function bytes(given: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(given.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
}
