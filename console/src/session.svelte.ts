// Who is signed in at this browser: an office with its role, or the public. The node says it; the page only shows less.
//
//     await session.signIn({ office: 'chair', password, purpose: 'decision' })
//     session.reads('finding')      -> true
//
// The cookie is the node's, out of reach of this page. A node that starts again knows nobody, and a watch ends: so who is
// signed in is asked with every round of fetches, and at once when an answer says that a right is missing.
import { get, Problem, send, type Session as Said, type SignIn } from './api';

class Session {
  said = $state.raw<Said | null>(null);
  /** Was signed in, and is not any more, without having signed out. */
  hasEnded = $state(false);
  /** Rises when somebody else is signed in than before: a page made for one is not shown to the other. */
  turn = $state(0);
  /** What to do then: all that was read is forgotten. */
  whenChanged: () => void = () => {};
  /** Signings in and out: what was asked before one says nothing after it. */
  private signings = 0;

  /** Null while it is not known. */
  isSignedIn = $derived(this.said ? this.said.office !== null : null);

  /** Whether a column of the agreement's roles is read; null while it is not known. */
  reads(column: string): boolean | null {
    return this.said ? this.said.reads.includes(column) : null;
  }

  /** Asks who is signed in. A node that does not answer changes nothing. */
  async load(): Promise<void> {
    const before = this.signings;
    try {
      const said = await get<Said>('/api/session');
      if (before === this.signings) this.take(said);
    } catch (failure) {
      if (!(failure instanceof Problem)) throw failure;
    }
  }

  private take(said: Said, byWill = false): void {
    const before = this.said;
    this.said = said;
    if (said.office !== null || byWill) this.hasEnded = false;
    else if (before && before.office !== null) this.hasEnded = true;
    if (!before || (before.office === said.office && before.role === said.role)) return;
    this.turn += 1;
    this.whenChanged();
  }

  async signIn(form: SignIn): Promise<void> {
    await send('POST', '/api/session', form);
    this.signings += 1;
    this.take(await get<Said>('/api/session'));
  }

  async signOut(): Promise<void> {
    await send('DELETE', '/api/session');
    this.signings += 1;
    this.take(await get<Said>('/api/session'), true);
  }
}

export const session = new Session();
