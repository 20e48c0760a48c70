import { confirmation } from "./confirmation.js";
import { offerAnother, problemOf, refused } from "./link.js";

const resendForm = document.getElementById("resend");

const show = confirmation({
  path: "/api/auth/verify-email",
  done: "verified",
  messages: {
    working: ["Confirming…", "This takes a moment."],
    verified: ["Your email address is confirmed", "You can close this page and log in."],
    expired: ["This link has expired", "Links work for one hour. Ask for a new one below."],
    invalid: ["This link doesn't work", "It may have been used already, or have expired: links work for one hour. If you can't log in, ask for a new one."],
    missing: ["This link is incomplete", "Open the link from the mail again, whole, or ask for a new one below."],
    resent: ["A new link is on its way", "If the address belongs to an account that is not confirmed yet, a mail arrives shortly."],
  },
  showing(state) {
    resendForm.hidden = !["expired", "invalid", "missing"].includes(state);
  },
  async outcome(answer) {
    const state = refused(answer);
    if (state !== "invalid") return state;
    const problem = await problemOf(answer);
    return answer.status === 410 || String(problem.type).includes("expired") ? "expired" : "invalid";
  },
});

offerAnother(resendForm, "/api/auth/verify-email/resend", show, "resent");
