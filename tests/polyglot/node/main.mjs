/**
 * Uses Omnify through this program's own Dapr sidecar, knowing nothing of it but docs/contracts.
 *
 *   node main.mjs events  --record FILE                  take events until SIGTERM
 *   node main.mjs journey --email ADDRESS --orders FILE  sign up, import orders, read the numbers
 *
 * Everything it learns goes to standard output, one JSON object per line. On failure: one line on standard error, status 1.
 * Environment: DAPR_HTTP_PORT, DAPR_API_TOKEN, APP_PORT, APP_API_TOKEN, OMNIFY_CONTRACTS, OMNIFY_PASSWORD.
 */

import { parseArgs } from "node:util";

import { serve } from "./events.mjs";
import { walk } from "./journey.mjs";
import { Omnify } from "./omnify.mjs";

const APP_ID = "node-caller";
const OPTIONS = { record: { type: "string" }, email: { type: "string" }, orders: { type: "string" } };

export function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function main() {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const environment = process.env;
  switch (positionals[0]) {
    case "events":
      return serve({
        appId: APP_ID,
        port: Number(needed(environment.APP_PORT, "APP_PORT")),
        token: environment.APP_API_TOKEN,
        contracts: environment.OMNIFY_CONTRACTS ?? "docs/contracts",
        record: needed(values.record, "--record"),
        print,
      });
    case "journey":
      return walk({
        omnify: new Omnify(needed(environment.DAPR_HTTP_PORT, "DAPR_HTTP_PORT"), environment.DAPR_API_TOKEN),
        email: needed(values.email, "--email"),
        password: needed(environment.OMNIFY_PASSWORD, "OMNIFY_PASSWORD"),
        orders: needed(values.orders, "--orders"),
        print,
      });
    default:
      throw new Error("say what to do: events or journey");
  }
}

function needed(value, name) {
  if (!value) throw new Error(`${name} is missing`);
  return value;
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(`${APP_ID}: ${error.message}`);
    process.exit(1);
  },
);
