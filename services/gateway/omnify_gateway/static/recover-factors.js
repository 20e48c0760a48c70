import { confirmation } from "./confirmation.js";

confirmation({
  path: "/api/auth/mfa-recovery/confirm",
  done: "asked",
  messages: {
    asked: ["Now ask an administrator", "For 72 hours, an administrator of your organisation can take your factors away. Then log in and set up new ones."],
    invalid: ["This link doesn't work", "It may have been used already, or have expired: links work for one hour. Log in with your password to ask for another one."],
  },
});
