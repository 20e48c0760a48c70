import { MESSAGES, offerAnother, on, post, problemOf, reasonsIn, refused, say, token } from "./link.js";

const resetForm = document.getElementById("reset");
const againForm = document.getElementById("again");

const KNOWN = {
  ...MESSAGES,
  working: ["One moment…", "The password is being set."],
  changed: ["Your password is changed", "You can close this page and log in."],
  weak: ["Choose another password", ""],
  invalid: ["This link doesn't work", "It may have been used already, or have expired: links work for 30 minutes. Ask for a new one."],
  missing: ["This link is incomplete", "Open the link from the mail again, whole, or ask for a new one below."],
  sent: ["A new link is on its way", "If the address belongs to an account, a mail arrives shortly."],
};

function show(state, detail) {
  const [heading, sentence] = KNOWN[state];
  say(state, [heading, detail ?? sentence]);
  resetForm.hidden = !["working", "weak", "busy", "failed"].includes(state) || !token;
  document.getElementById("submit").disabled = state === "working";
  againForm.hidden = !["invalid", "missing"].includes(state);
}

on(resetForm, "submit", show, async () => {
  const answer = await post("/api/auth/password-reset/confirm", {
    token,
    new_password: document.getElementById("password").value,
    end_other_sessions: document.getElementById("others").checked,
  });
  if (answer.ok) return show("changed");
  return answer.status === 422 ? show("weak", reasonsIn(await problemOf(answer))) : show(refused(answer));
});

offerAnother(againForm, "/api/auth/password-reset", show, "sent");

if (!token) show("missing");
