import { MESSAGES, on, post, problemOf, reasonsIn, refused, say, token } from "./link.js";

const forms = {
  register: document.getElementById("register"),
  "sign-in": document.getElementById("sign-in"),
  second: document.getElementById("second"),
};

let offer = null;
let challenge = null;

const KNOWN = {
  ...MESSAGES,
  second: ["A second step", "Your account asks for a code, too."],
  joined: ["Welcome", "You belong to the organisation now. Log in and switch to it."],
  wrong: ["That isn't right", "Check what you typed and try again."],
  elsewhere: ["Log in first", "Your account asks for a passkey: log in where you always do, then open the mail's link again."],
  invalid: ["This link doesn't work", "It may have been used already, withdrawn, or have expired: invitations are good for 72 hours. Ask whoever invited you for another one."],
  busy: ["Too many attempts", "Please wait a minute, then open the link again."],
  failed: ["That didn't work", "The service can't be reached at the moment. Your link is still good: please open it again."],
};

function show(state, form, words = KNOWN[state]) {
  say(state, words);
  for (const [name, element] of Object.entries(forms)) element.hidden = name !== form;
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
  if (answer.status !== 422) return show(refused(answer));
  show("wrong", "register", ["Choose another password", reasonsIn(await problemOf(answer))]);
}

async function join(answer, form) {
  const body = await problemOf(answer);
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

on(forms.register, "submit", show, register);
on(forms["sign-in"], "submit", show, async () => {
  const body = { email: offer.email, password: forms["sign-in"].password.value };
  await join(await post("/api/auth/login", body), "sign-in");
});
on(forms.second, "submit", show, async () => {
  await join(await post("/api/auth/login/mfa", { mfa_token: challenge, code: forms.second.code.value }), "second");
});

if (token) read().catch(() => show("failed"));
else show("missing");
