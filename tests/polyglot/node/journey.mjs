/** A marketer's way: sign up, prove the address, sign in, import orders, read the numbers, sign out. */

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { createInterface } from "node:readline/promises";

import { Problem } from "./omnify.mjs";
import { verifier } from "./tokens.mjs";

const MAIL_TIMEOUT = 300_000; // milliseconds, as every figure below
const IMPORT_TIMEOUT = 120_000;
const REVOKED_TIMEOUT = 30_000;
const POLL = 200;
const IMPORT_OPTIONS = {
  delimiter: ",",
  has_header: true,
  date_format: "%Y-%m-%d",
  currency: "EUR",
  columns: { customer_id: "customer", ordered_at: "day", amount: "paid" },
};

export async function walk({ omnify, email, password, orders, print }) {
  const auth = (path, body, bearer) => omnify.call("auth", "POST", `/api/auth/${path}`, { body, bearer });
  const verify = verifier(omnify);

  const person = { email, password, full_name: "Grace Hopper", organization_name: "Compilers" };
  print({ step: "register", ...(await auth("register", person)) });
  print({ step: "paste the mail's link" });
  print({ step: "verify-email", ...(await auth("verify-email", { token: await tokenOfTheMail() })) });
  await refused(print, "login", () => auth("login", { email, password: `${password}!` }));

  let tokens = await auth("login", { email, password });
  print({ step: "login", user: tokens.user, claims: await verify(tokens.access_token) });
  await refused(print, "forged token", () => me(omnify, forged(tokens.access_token)));
  tokens = await auth("refresh", { refresh_token: tokens.refresh_token });
  print({ step: "refresh", claims: await verify(tokens.access_token) });
  print({ step: "me", me: await me(omnify, tokens.access_token) });

  await importOrders(omnify, tokens.access_token, orders, print);
  await auth("logout", undefined, tokens.access_token);
  print({ step: "logout", session_id: tokens.session_id });
  await until("the ended session is refused", REVOKED_TIMEOUT, () => isRefused(omnify, tokens.access_token));
  print({ step: "done" });
}

async function importOrders(omnify, bearer, file, print) {
  const analytics = (method, path, body) => omnify.call("analytics", method, `/api/analytics/${path}`, { body, bearer });
  const content = await readFile(file);
  const upload = (options) => {
    const form = new FormData();
    form.append("file", new Blob([content], { type: "text/csv" }), basename(file));
    form.append("options", new Blob([JSON.stringify(options)], { type: "application/json" }));
    return analytics("POST", "imports/orders", form);
  };
  await refused(print, "import", () => upload({ ...IMPORT_OPTIONS, currency: "euros" }));

  const { import_id: id } = await upload(IMPORT_OPTIONS);
  const ended = await until("the import ends", IMPORT_TIMEOUT, async () => {
    const found = await analytics("GET", `imports/${id}`);
    return ["completed", "failed"].includes(found.status) ? found : null;
  });
  if (ended.status === "failed") throw new Error(`the import failed: ${ended.failure}`);
  print({ step: "import", import_id: id, rows_accepted: ended.rows_accepted, rows_rejected: ended.rows_rejected });
  print({ step: "overview", overview: await analytics("GET", "overview?granularity=month") });
  print({ step: "cohorts", cohorts: await analytics("GET", "cohorts?granularity=month") });
}

const me = (omnify, bearer) => omnify.call("auth", "GET", "/api/auth/me", { bearer });

async function isRefused(omnify, bearer) {
  try {
    await omnify.call("analytics", "GET", "/api/analytics/imports?limit=1", { bearer });
    return false;
  } catch (error) {
    if (error instanceof Problem && error.document.status === 401) return true;
    throw error;
  }
}

/** Shows a refusal that is meant to happen. */
async function refused(print, step, call) {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return print({ step, problem: error.document });
  }
  throw new Error(`${step}: was not refused`);
}

/** The token with its signature's first letter changed. */
function forged(token) {
  const at = token.lastIndexOf(".") + 1;
  return token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
}

/** The verification token from a line of standard input: the mail's link, or the token alone. */
async function tokenOfTheMail() {
  const lines = createInterface({ input: process.stdin });
  try {
    const line = await lines.question("", { signal: AbortSignal.timeout(MAIL_TIMEOUT) });
    return line.trim().replace(/^.*#token=/, "");
  } catch {
    throw new Error("no link of the mail on standard input");
  } finally {
    lines.close();
  }
}

async function until(what, timeout, check) {
  const deadline = Date.now() + timeout;
  while (Date.now() < deadline) {
    const found = await check();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
  throw new Error(`not within ${timeout / 1000} s: ${what}`);
}
