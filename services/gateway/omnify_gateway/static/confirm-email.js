import { confirmation } from "./confirmation.js";

confirmation({
  path: "/api/auth/change-email/confirm",
  done: "changed",
  messages: {
    working: ["Confirming…", "This takes a moment."],
    changed: ["Your email address is changed", "From now on, log in with this address."],
    invalid: ["This link doesn't work", "It may have been used already, or have expired: links work for one hour. Ask for another one where you are logged in."],
  },
});
