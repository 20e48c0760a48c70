"use strict";

// The token stands in the fragment, which browsers send to no server. It leaves the address bar and the history at once.
// A click is asked for: mail scanners open links and run their scripts, and would confirm an address for its owner.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);

const page = document.getElementById("page");
const title = document.getElementById("title");
const text = document.getElementById("text");
const confirmButton = document.getElementById("confirm");
const resendForm = document.getElementById("resend");

const MESSAGES = {
  working: ["Confirming…", "This takes a moment."],
  verified: ["Your email address is confirmed", "You can close this page and log in."],
  expired: ["This link has expired", "Links work for one hour. Ask for a new one below."],
  invalid: ["This link doesn't work", "It may have been used already, or have expired: links work for one hour. If you can't log in, ask for a new one."],
  missing: ["This link is incomplete", "Open the link from the mail again, whole, or ask for a new one below."],
  busy: ["Too many attempts", "Please wait a minute, then try again."],
  failed: ["That didn't work", "The service can't be reached at the moment. Your link is still good: please try again."],
  resent: ["A new link is on its way", "If the address belongs to an account that is not confirmed yet, a mail arrives shortly."],
};

function show(state) {
  [title.textContent, text.textContent] = MESSAGES[state];
  document.title = `${MESSAGES[state][0]} – Omnify`;
  page.dataset.state = state;
  confirmButton.hidden = !["ready", "working", "busy", "failed"].includes(state) || !token;
  confirmButton.disabled = state === "working";
  resendForm.hidden = !["expired", "invalid", "missing"].includes(state);
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

async function outcome(answer) {
  if (answer.ok) return "verified";
  if (answer.status === 429) return "busy";
  if (answer.status >= 500) return "failed";
  const problem = await answer.json().catch(() => ({}));
  return answer.status === 410 || String(problem.type).includes("expired") ? "expired" : "invalid";
}

confirmButton.addEventListener("click", async () => {
  show("working");
  try {
    show(await outcome(await post("/api/auth/verify-email", { token })));
  } catch {
    show("failed");
  }
});

resendForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const email = new FormData(resendForm).get("email");
  try {
    const answer = await post("/api/auth/verify-email/resend", { email });
    show(answer.ok ? "resent" : answer.status === 429 ? "busy" : "failed");
  } catch {
    show("failed");
  }
});

if (!token) show("missing");
