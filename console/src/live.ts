// The node's hints that something changed: `GET /api/events` (text/event-stream).
//
//     event: verdict
//     id: 41
//     data: {…}
//
// A hint is only a reason to fetch again, so a lost one costs nothing. The stream is read by hand because a browser's
// EventSource hides the pings, and without them a dead connection looks like a quiet one.

export interface LiveListener {
  hint(kind: string): void;
  /** Bytes came: the connection lives. */
  heard(): void;
  lost(): void;
}

/** Splits a stream's text into events; keeps what is not finished. */
export class EventReader {
  private rest = '';
  private held = '';
  lastId: string | null = null;

  read(chunk: string): string[] {
    const text = this.held + chunk;
    // A carriage return at the end may be half of a line's end: it waits for the next piece.
    this.held = text.endsWith('\r') ? '\r' : '';
    this.rest += (this.held ? text.slice(0, -1) : text).replace(/\r\n?/g, '\n');
    const kinds: string[] = [];
    for (let end = this.rest.indexOf('\n\n'); end >= 0; end = this.rest.indexOf('\n\n')) {
      const block = this.rest.slice(0, end);
      this.rest = this.rest.slice(end + 2);
      let kind = '';
      let hasData = false;
      for (const line of block.split('\n')) {
        const [name, ...value] = line.split(':');
        const text = value.join(':').replace(/^ /, '');
        if (name === 'event') kind = text;
        if (name === 'data') hasData = true;
        if (name === 'id') this.lastId = text;
      }
      if (kind || hasData) kinds.push(kind || 'message');
    }
    return kinds;
  }
}

/** Listens until `stop` aborts, and comes back after a loss. */
export async function listen(listener: LiveListener, stop: AbortSignal): Promise<void> {
  const events = new EventReader();
  for (let wait_ms = 1_000; !stop.aborted; wait_ms = Math.min(wait_ms * 2, 15_000)) {
    try {
      const headers: Record<string, string> = { accept: 'text/event-stream' };
      if (events.lastId) headers['last-event-id'] = events.lastId;
      const answer = await fetch('/api/events', { headers, cache: 'no-store', signal: stop });
      if (answer.ok && answer.body) {
        wait_ms = 500;
        listener.heard();
        // What happened while nobody listened is not told again: fetch once.
        listener.hint('gap');
        const text = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let read = await text.read(); !read.done; read = await text.read()) {
          listener.heard();
          for (const kind of events.read(read.value)) listener.hint(kind);
        }
      }
    } catch {
      // Lost, or stopped: both are handled below.
    }
    if (stop.aborted) return;
    listener.lost();
    await new Promise((resolve) => setTimeout(resolve, wait_ms));
  }
}
