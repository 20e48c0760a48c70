/** Takes events of auth from the sidecar. Delivery is at least once and in no order: see the ledger. */

import { timingSafeEqual } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

import { Ledger } from "./ledger.mjs";

const MAX_BODY = 1 << 20; // bytes
const SUCCESS = { status: "SUCCESS" };
const DROP = { status: "DROP" }; // to the dead letters: trying again would not help

/** Serves the routes that the sidecar calls, until SIGTERM or SIGINT. */
export async function serve({ appId, port, token, contracts, record, print }) {
  const ledger = new Ledger(record, print);
  const validators = schemas(contracts);
  const deadLetters = `${appId}-deadletters`;
  const routes = {
    "GET /health/live": () => ({ status: "healthy" }),
    "GET /dapr/subscribe": () => [
      { pubsubname: "pubsub", topic: "auth-events", route: "/events", deadLetterTopic: deadLetters },
      { pubsubname: "pubsub", topic: deadLetters, route: "/dead-letters" },
    ],
    "POST /events": (event) => take(event, ledger, validators),
    "POST /dead-letters": (event) => {
      ledger.bury(event);
      return SUCCESS;
    },
  };
  const server = createServer((request, response) => answer(request, response, routes, token));
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  print({ listening: port });
  await new Promise((resolve) => ["SIGTERM", "SIGINT"].forEach((signal) => process.once(signal, resolve)));
  // A connection that was busy becomes idle later, and the sidecar's health checks would keep it open for good.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  await new Promise((resolve) => server.close(resolve));
  clearInterval(idle);
}

/** What to tell the sidecar about an event. A type that no contract names is not ours: later versions may send it. */
function take(event, ledger, validators) {
  if (typeof event?.id !== "string" || typeof event.source !== "string") return DROP;
  const valid = validators.get(event.type);
  if (!valid) return SUCCESS;
  if (!valid(event)) {
    console.error(`dropped ${event.id}: ${valid.errors.map((one) => `${one.instancePath} ${one.message}`).join("; ")}`);
    return DROP;
  }
  ledger.take(event);
  return SUCCESS;
}

/** A validator by event type, from the published JSON Schemas. */
function schemas(contracts) {
  const ajv = addFormats(new Ajv2020({ allErrors: true }));
  const folder = join(contracts, "events");
  const documents = readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")));
  const ours = documents.filter((document) => document.properties.source.const === "auth");
  return new Map(ours.map((document) => [document.properties.type.const, ajv.compile(document)]));
}

async function answer(request, response, routes, token) {
  const send = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  const path = request.url.split("?")[0];
  const route = routes[`${request.method} ${path}`];
  if (!route) return send(404, { error: "no such route" });
  if (path !== "/health/live" && !isSidecar(request, token)) return send(401, { error: "only the sidecar may call this" });
  try {
    send(200, route(request.method === "POST" ? await body(request) : undefined));
  } catch (error) {
    console.error(error.message);
    send(500, { error: "failed" }); // delivered again
  }
}

/** Whether the call carries the token that this program shares with its sidecar. */
function isSidecar(request, token) {
  if (!token) return true;
  const [given, wanted] = [Buffer.from(request.headers["dapr-api-token"] ?? ""), Buffer.from(token)];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** The JSON of a request; undefined when it is none or too long, so that it is dropped instead of tried for ever. */
async function body(request) {
  const pieces = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size <= MAX_BODY) pieces.push(piece);
  }
  try {
    return size <= MAX_BODY ? JSON.parse(Buffer.concat(pieces).toString("utf8")) : undefined;
  } catch {
    return undefined;
  }
}
