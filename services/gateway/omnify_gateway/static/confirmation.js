import { MESSAGES, on, post, refused, say, token } from "./link.js";

const button = document.getElementById("confirm");

/**
 * A page where one click confirms what a mail asked for. A click, as mail scanners open links and run their scripts, and
 * would confirm it for its owner. `showing` is told each state; `outcome` tells it from an answer that is not ok.
 */
export function confirmation({ path, done, messages, showing = () => {}, outcome = refused }) {
  const known = { ...MESSAGES, ...messages };

  function show(state) {
    say(state, known[state]);
    button.hidden = !["ready", "working", "busy", "failed"].includes(state) || !token;
    button.disabled = state === "working";
    showing(state);
  }

  on(button, "click", show, async () => {
    const answer = await post(path, { token });
    show(answer.ok ? done : await outcome(answer));
  });
  if (!token) show("missing");
  return show;
}
