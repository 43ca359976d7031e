// Whether somebody sits here. A console that is left alone asks for nothing by itself: what it asks for is written down as
// read by the office that is signed in, and each question keeps its session open.
//
//     attention.acted('moved')      the pointer moved, something was pressed, …
//     attention.look(now)           once a second; after 15 minutes: isPaused
//     attention.acted('pressed')    goes on
//
// Without a question the node ends the session in its own time.

/** Left alone for so long. */
export const pause_ms = 15 * 60_000;

class Attention {
  isPaused = $state(false);
  /** What to do when somebody comes back. */
  whenBack: () => void = () => {};
  private actedAt = Date.now();

  /** Somebody did something. A pointer that moves by itself wakes nothing: that takes a key or a press. */
  acted(how: 'pressed' | 'moved', now = Date.now()): void {
    if (this.isPaused && how === 'moved') return;
    this.actedAt = now;
    if (!this.isPaused) return;
    this.isPaused = false;
    this.whenBack();
  }

  /** Looks whether anybody did. */
  look(now: number): void {
    if (now - this.actedAt >= pause_ms) this.isPaused = true;
  }

  /** Listens to the page; returns how to stop. */
  start(): () => void {
    const stop = new AbortController();
    const options = { signal: stop.signal, passive: true, capture: true };
    for (const name of ['keydown', 'click']) addEventListener(name, () => this.acted('pressed'), options);
    for (const name of ['pointermove', 'wheel', 'scroll']) addEventListener(name, () => this.acted('moved'), options);
    return () => stop.abort();
  }
}

export const attention = new Attention();
