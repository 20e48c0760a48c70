"use strict";

// The token stands in the fragment, which browsers send to no server. It leaves the address bar and the history at once.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);

const page = document.getElementById("page");
const title = document.getElementById("title");
const text = document.getElementById("text");
const resetForm = document.getElementById("reset");
const againForm = document.getElementById("again");

const MESSAGES = {
  working: ["One moment…", "The password is being set."],
  changed: ["Your password is changed", "You can close this page and log in."],
  weak: ["Choose another password", ""],
  invalid: ["This link doesn't work", "It may have been used already, or have expired: links work for 30 minutes. Ask for a new one."],
  missing: ["This link is incomplete", "Open the link from the mail again, whole, or ask for a new one below."],
  busy: ["Too many attempts", "Please wait a minute, then try again."],
  failed: ["That didn't work", "The service can't be reached at the moment. Your link is still good: please try again."],
  sent: ["A new link is on its way", "If the address belongs to an account, a mail arrives shortly."],
};

function show(state, detail) {
  [title.textContent, text.textContent] = MESSAGES[state];
  if (detail) text.textContent = detail;
  document.title = `${MESSAGES[state][0]} – Omnify`;
  page.dataset.state = state;
  resetForm.hidden = !["working", "weak", "busy", "failed"].includes(state) || !token;
  document.getElementById("submit").disabled = state === "working";
  againForm.hidden = !["invalid", "missing"].includes(state);
  title.focus();
}

function post(path, body) {
  return fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    credentials: "omit",
    cache: "no-store",
  });
}

async function finish(answer) {
  if (answer.ok) return show("changed");
  if (answer.status === 429) return show("busy");
  if (answer.status >= 500) return show("failed");
  const problem = await answer.json().catch(() => ({}));
  if (answer.status !== 422) return show("invalid");
  const reasons = (problem.errors ?? []).map((error) => error.reason);
  return show("weak", `${reasons.join("; ") || problem.detail}.`);
}

resetForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = {
    token,
    new_password: document.getElementById("password").value,
    end_other_sessions: document.getElementById("others").checked,
  };
  show("working");
  try {
    await finish(await post("/api/auth/password-reset/confirm", body));
  } catch {
    show("failed");
  }
});

againForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const email = new FormData(againForm).get("email");
  try {
    const answer = await post("/api/auth/password-reset", { email });
    show(answer.ok ? "sent" : answer.status === 429 ? "busy" : "failed");
  } catch {
    show("failed");
  }
});

if (!token) show("missing");
