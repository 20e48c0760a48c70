"use strict";

// The token stands in the fragment, which browsers send to no server. It leaves the address bar and the history at once.
// A click is asked for: mail scanners open links and run their scripts, and would ask in place of its owner.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);

const page = document.getElementById("page");
const title = document.getElementById("title");
const text = document.getElementById("text");
const confirmButton = document.getElementById("confirm");

const MESSAGES = {
  working: ["One moment…", "This takes a moment."],
  asked: ["Now ask an administrator", "For 72 hours, an administrator of your organisation can take your factors away. Then log in and set up new ones."],
  invalid: ["This link doesn't work", "It may have been used already, or have expired: links work for one hour. Log in with your password to ask for another one."],
  missing: ["This link is incomplete", "Open the link from the mail again, whole."],
  busy: ["Too many attempts", "Please wait a minute, then try again."],
  failed: ["That didn't work", "The service can't be reached at the moment. Your link is still good: please try again."],
};

function show(state) {
  [title.textContent, text.textContent] = MESSAGES[state];
  document.title = `${MESSAGES[state][0]} – Omnify`;
  page.dataset.state = state;
  confirmButton.hidden = !["ready", "working", "busy", "failed"].includes(state) || !token;
  confirmButton.disabled = state === "working";
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

function outcome(answer) {
  if (answer.ok) return "asked";
  if (answer.status === 429) return "busy";
  return answer.status >= 500 ? "failed" : "invalid";
}

confirmButton.addEventListener("click", async () => {
  show("working");
  try {
    show(outcome(await post("/api/auth/mfa-recovery/confirm", { token })));
  } catch {
    show("failed");
  }
});

if (!token) show("missing");
