/** Access tokens, checked against auth's published keys without asking auth about each. */

import { createRemoteJWKSet, jwtVerify } from "jose";

const RULES = {
  algorithms: ["ES256"],
  typ: "at+jwt",
  issuer: "omnify",
  audience: "omnify",
  clockTolerance: 30, // seconds
  requiredClaims: ["sub", "org", "sid", "roles", "client_id", "exp", "iat", "jti"],
};

/** A function that gives a token's claims, and throws when the token is not to be trusted. */
export function verifier(omnify) {
  const { url, headers } = omnify.address("auth", "/.well-known/jwks.json");
  const keys = createRemoteJWKSet(url, { headers, cacheMaxAge: 300_000, timeoutDuration: 10_000 });
  return async (token) => (await jwtVerify(token, keys, RULES)).payload;
}
