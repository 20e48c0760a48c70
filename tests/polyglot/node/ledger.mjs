/** What was received, in a file of JSON lines that is written before an event is acknowledged. */

import { closeSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";

export class Ledger {
  #file;
  #print;
  #seen = new Set(); // by source and id: a second delivery carries the same ones
  #newest = new Map(); // highest sequence by source and subject: an event may come after a newer one

  /** Reads what an earlier run has kept, without a last line that a crash cut off. */
  constructor(path, print) {
    this.#print = print;
    const kept = readKept(path);
    kept.forEach((line) => this.#remember(line));
    this.#file = openSync(path, "a");
  }

  /** Keeps and prints an event, once. */
  take(event) {
    if (this.#seen.has(key(event.source, event.id))) return;
    const newest = this.#newest.get(key(event.source, event.subject));
    const { type, id, source, subject, sequence, data } = event;
    const latest = newest === undefined || BigInt(sequence) > newest;
    this.#keep({ event: type, id, source, subject, sequence, latest, data });
  }

  /** Keeps and prints a dead letter: an event that this program could not handle. */
  bury(event) {
    this.#keep({ dead_letter: event?.type ?? null, id: event?.id ?? null, source: event?.source ?? null });
  }

  #keep(line) {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
    fsyncSync(this.#file);
    this.#remember(line);
    this.#print(line);
  }

  #remember(line) {
    if (!line.event) return;
    this.#seen.add(key(line.source, line.id));
    if (line.latest) this.#newest.set(key(line.source, line.subject), BigInt(line.sequence));
  }
}

const key = (...parts) => JSON.stringify(parts);

function readKept(path) {
  closeSync(openSync(path, "a"));
  const bytes = readFileSync(path);
  const end = bytes.lastIndexOf(10) + 1;
  truncateSync(path, end);
  return bytes.subarray(0, end).toString("utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
}
