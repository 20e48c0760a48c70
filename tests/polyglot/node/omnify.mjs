/** Calls to Omnify's services, by Dapr's service invocation API. */

const CALL_TIMEOUT = 30_000; // milliseconds, of one try
const TRIES = 4;
const LONGEST_WAIT = 30; // seconds that Retry-After may ask for
const ASK_AGAIN = new Set([429, 503]);

/** An error as Omnify tells it (RFC 9457). `document.type` is stable; `document.detail` is for people. */
export class Problem extends Error {
  constructor(step, document) {
    super(`${step}: ${document.status} ${document.type}: ${document.detail}`);
    this.document = document;
  }
}

export class Omnify {
  #base;
  #headers;

  constructor(port, token) {
    this.#base = `http://127.0.0.1:${port}/v1.0/invoke`;
    this.#headers = token ? { "dapr-api-token": token } : {};
  }

  /** Address of a service's path, and the headers that this program's sidecar asks for. */
  address(app, path) {
    return { url: new URL(`${this.#base}/${app}/method${path}`), headers: this.#headers };
  }

  /**
   * One request; `body` is JSON or a form. Returns the answer's JSON, or null when it has none. Waits and asks again
   * when told to. Throws Problem for a refusal, Error when the sidecar or the service can't be reached.
   */
  async call(app, method, path, { body, bearer } = {}) {
    const step = `${method} ${app} ${path.split("?")[0]}`;
    for (let tried = 1; ; tried += 1) {
      const answer = await this.#send(step, app, method, path, body, bearer);
      if (answer.ok) return answer.status === 204 ? null : answer.json();
      const wait = Number(answer.headers.get("retry-after") ?? 1);
      if (tried === TRIES || !ASK_AGAIN.has(answer.status) || wait > LONGEST_WAIT) throw await refusal(step, answer);
      await answer.arrayBuffer();
      await new Promise((resolve) => setTimeout(resolve, wait * 1000));
    }
  }

  async #send(step, app, method, path, body, bearer) {
    const { url, headers: own } = this.address(app, path);
    const headers = { accept: "application/json, application/problem+json", ...own };
    if (bearer) headers.authorization = `Bearer ${bearer}`;
    const form = body instanceof FormData;
    if (body && !form) headers["content-type"] = "application/json";
    try {
      const signal = AbortSignal.timeout(CALL_TIMEOUT);
      return await fetch(url, { method, headers, signal, body: !body || form ? body : JSON.stringify(body) });
    } catch (error) {
      throw new Error(`${step}: no answer from the sidecar: ${error.cause?.code ?? error.message}`);
    }
  }
}

async function refusal(step, answer) {
  if (answer.headers.get("content-type")?.startsWith("application/problem+json")) {
    return new Problem(step, await answer.json());
  }
  return new Error(`${step}: ${answer.status} from the sidecar: ${(await answer.text()).slice(0, 200)}`);
}
