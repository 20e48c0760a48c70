"use strict";

// The token stands in the fragment, which browsers send to no server. It leaves the address bar and the history at once.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);

const page = document.getElementById("page");
const title = document.getElementById("title");
const text = document.getElementById("text");
const forms = {
  register: document.getElementById("register"),
  "sign-in": document.getElementById("sign-in"),
  second: document.getElementById("second"),
};

let offer = null;
let challenge = null;

const MESSAGES = {
  working: ["One moment…", "This doesn't take long."],
  second: ["A second step", "Your account asks for a code, too."],
  joined: ["Welcome", "You belong to the organisation now. Log in and switch to it."],
  wrong: ["That isn't right", "Check what you typed and try again."],
  elsewhere: ["Log in first", "Your account asks for a passkey: log in where you always do, then open the mail's link again."],
  invalid: ["This link doesn't work", "It may have been used already, withdrawn, or have expired: invitations are good for 72 hours. Ask whoever invited you for another one."],
  missing: ["This link is incomplete", "Open the link from the mail again, whole."],
  busy: ["Too many attempts", "Please wait a minute, then open the link again."],
  failed: ["That didn't work", "The service can't be reached at the moment. Your link is still good: please open it again."],
};

function show(state, form, words = MESSAGES[state]) {
  [title.textContent, text.textContent] = words;
  document.title = `${words[0]} – Omnify`;
  page.dataset.state = state;
  for (const [name, element] of Object.entries(forms)) element.hidden = name !== form;
  title.focus();
}

function post(path, body, access) {
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

function refused(answer) {
  if (answer.status === 429) return "busy";
  return answer.status >= 500 ? "failed" : "invalid";
}

function invite() {
  const form = offer.has_account ? "sign-in" : "register";
  const ask = offer.has_account ? "Sign in to accept." : "Choose a password of at least 15 characters to accept.";
  const words = [`Join ${offer.organization_name}`, `${offer.email} is invited as ${offer.role}. ${ask}`];
  show(offer.has_account ? "known" : "new", form, words);
}

async function read() {
  const answer = await post("/api/organizations/invitations/preview", { token });
  if (!answer.ok) return show(refused(answer));
  offer = await answer.json();
  invite();
}

async function register() {
  const body = { token, full_name: forms.register.name.value, password: forms.register.new.value };
  const answer = await post("/api/organizations/invitations/register", body);
  if (answer.ok) return show("joined");
  const problem = await answer.json().catch(() => ({}));
  if (answer.status !== 422) return show(refused(answer));
  const reasons = (problem.errors ?? []).map((error) => error.reason);
  show("wrong", "register", ["Choose another password", `${reasons.join("; ") || problem.detail}.`]);
}

async function join(answer, form) {
  const body = await answer.json().catch(() => ({}));
  if (answer.status === 403 && body.mfa_token) {
    challenge = body.mfa_token;
    return body.methods.includes("totp") ? show("second", "second") : show("elsewhere");
  }
  if (answer.status === 401) return show("wrong", form);
  if (!answer.ok) return show(refused(answer));
  const joined = await post("/api/organizations/invitations/accept", { token }, body.access_token);
  await post("/api/auth/logout", undefined, body.access_token);
  show(joined.ok ? "joined" : refused(joined));
}

function on(form, work) {
  forms[form].addEventListener("submit", async (event) => {
    event.preventDefault();
    show("working");
    try {
      await work();
    } catch {
      show("failed");
    }
  });
}

on("register", register);
on("sign-in", async () => {
  const body = { email: offer.email, password: forms["sign-in"].password.value };
  await join(await post("/api/auth/login", body), "sign-in");
});
on("second", async () => {
  await join(await post("/api/auth/login/mfa", { mfa_token: challenge, code: forms.second.code.value }), "second");
});

if (token) read().catch(() => show("failed"));
else show("missing");
