// Everything a browser profile sends, receives, keeps and complains about: what a curious person finds in the developer tools.
//
// May touch: the pages of the profile it watches. Must be set up before the first page opens.

/** Answers that have no body by their nature: redirects, preflights, "not modified". */
const BODILESS = new Set([204, 301, 302, 303, 304, 307, 308]);

/** Longest wait for the headers or the body of one message, milliseconds: what a window was loading when it closed may never come. */
const COMES_MS = 5_000;

/** `read`, or a failure where it does not come. */
function come(read) {
  let late;
  const never = new Promise((_, reject) => { late = setTimeout(reject, COMES_MS, new Error('it never came')); });
  return Promise.race([read, never]).finally(() => clearTimeout(late));
}

/** Watches `context` from now on. */
export async function watch(context) {
  const seen = new Watch();
  // Chromium reports violations on the console as well; the event names them whatever the console's words become.
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, documentURI }) => {
      console.error(`policy violation: ${violatedDirective} ${blockedURI} in ${documentURI}`);
    });
  });
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) seen.complaints.push(`${message.location().url}: ${message.text()}`);
  });
  context.on('weberror', (error) => seen.complaints.push(String(error.error())));
  context.on('request', (request) => seen.pending.push(seen.noteRequest(request)));
  context.on('response', (response) => seen.pending.push(seen.noteResponse(response)));
  return seen;
}

class Watch {
  /** Console errors and warnings, uncaught errors, policy violations. */
  complaints = [];
  /** `{what, text}`: every address, header and body. */
  traffic = [];
  /** Answers whose body could not be read, and why. One that the page itself gave up (as a poll that is not needed any more) has none. */
  unread = [];
  pending = [];

  async noteRequest(request) {
    const what = `${request.method()} ${request.url()}`;
    this.traffic.push({ what, text: `${what}\n${request.postData() ?? ''}` });
    const headers = await come(request.allHeaders()).catch(() => ({}));
    this.traffic.push({ what: `${what}, its headers`, text: JSON.stringify(headers) });
  }

  async noteResponse(response) {
    const what = `answer ${response.status()} of ${response.request().method()} ${response.url()}`;
    const headers = await come(response.headersArray()).catch(() => []);
    this.traffic.push({ what: `${what}, its headers`, text: JSON.stringify(headers) });
    if (BODILESS.has(response.status())) return;
    const unread = ({ message }) => {
      if (response.request().failure()?.errorText !== 'net::ERR_ABORTED') this.unread.push(`${what}: ${message}`);
    };
    await come(response.text()).then((text) => this.traffic.push({ what, text }), unread);
  }

  /** Waits until all that was seen so far is read. */
  async settled() {
    await Promise.allSettled(this.pending.splice(0));
  }

  /** Requests so far whose method and address match. */
  sent(pattern) {
    return this.traffic.filter(({ what }) => !what.startsWith('answer') && !what.endsWith('headers') && pattern.test(what)).map(({ what }) => what);
  }
}

/** What scripts of the open pages can read of what the browser keeps, over all frames. A store the browser denies to a frame holds nothing. */
export async function kept(context) {
  const frames = context.pages().flatMap((page) => page.frames());
  return Promise.all(frames.map((frame) => frame.evaluate(async () => {
    const entries = async (read) => {
      try {
        return await read();
      } catch (error) {
        if (['SecurityError', 'UnknownError'].includes(error.name)) return []; // a third party's frame, as most browsers have it now
        throw error;
      }
    };
    return {
      cookie: document.cookie,
      local: await entries(() => Object.entries(localStorage)),
      session: await entries(() => Object.entries(sessionStorage)),
      databases: await entries(() => indexedDB.databases()),
      caches: await entries(() => caches.keys()),
      name: window.name,
    };
  })));
}
