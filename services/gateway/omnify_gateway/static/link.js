// What the pages of mailed links share.
//
// The token stands in the fragment, which browsers send to no server. It leaves the address bar and the history at once.
export const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);

const page = document.getElementById("page");
const title = document.getElementById("title");
const text = document.getElementById("text");

export const MESSAGES = {
  working: ["One moment…", "This doesn't take long."],
  missing: ["This link is incomplete", "Open the link from the mail again, whole."],
  busy: ["Too many attempts", "Please wait a minute, then try again."],
  failed: ["That didn't work", "The service can't be reached at the moment. Your link is still good: please try again."],
};

/** Says how things stand: a heading and a sentence. */
export function say(state, [heading, sentence]) {
  title.textContent = heading;
  text.textContent = sentence;
  document.title = `${heading} – Omnify`;
  page.dataset.state = state;
  title.focus();
}

export function post(path, body, access) {
  const headers = { "content-type": "application/json" };
  if (access) headers.authorization = `Bearer ${access}`;
  return fetch(path, {
    method: "POST",
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "omit",
    cache: "no-store",
  });
}

/** The state that an answer which is not ok leads to. */
export function refused(answer) {
  if (answer.status === 429) return "busy";
  return answer.status >= 500 ? "failed" : "invalid";
}

/** The problem (RFC 9457) that an answer holds, if it does. */
export function problemOf(answer) {
  return answer.json().catch(() => ({}));
}

/** What is wrong with a password, in a sentence. */
export function reasonsIn(problem) {
  const reasons = (problem.errors ?? []).map((error) => error.reason);
  return `${reasons.join("; ") || problem.detail}.`;
}

/** Does the work when the form is sent or the button is clicked; `show` tells of it. */
export function on(element, kind, show, work) {
  element.addEventListener(kind, async (event) => {
    event.preventDefault();
    show("working");
    try {
      await work();
    } catch {
      show("failed");
    }
  });
}

/** Another link, for who types their address. */
export function offerAnother(form, path, show, sent) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const answer = await post(path, { email: new FormData(form).get("email") });
      show(answer.ok ? sent : answer.status === 429 ? "busy" : "failed");
    } catch {
      show("failed");
    }
  });
}
