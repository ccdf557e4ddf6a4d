// Caller JWTs made by another library (jose), good ones and the classic forgeries: the functions must not only accept their own.
//
// May touch: nothing but standard input and output. Source: RFC 7519, RFC 8725 section 2.1 (algorithm confusion), jose's documentation.
//
// One JSON request per line on standard input, one line of standard output for each, in order:
//   {"alg":"HS256|HS384|HS512","secret":"…","claims":{…},"header":{…}?}   a compact JWT; claims are used as they are (no `exp` is added)
//   {"alg":"RS256|ES256|EdDSA|…","key":"NAME"?,"claims":{…},"header":{…}?}  signed with a key of this process; each name is a key of its own
//   {"jwk":"RS256|ES256|EdDSA|…","key":"NAME"?}                           that key's public half as a JWK, its name as `kid`
//   {"alg":"none","claims":{…}}                                           an unsecured JWT: header {"alg":"none"}, empty signature
//   {"public_key":"RS256|ES256"}                                          that key's public half as a JSON string holding PEM (SPKI),
//                                                                         to be sent back as the "secret" of an HS256 request
// `header` adds to the protected header ({"typ":"JWT","kid":"x"}) and cannot replace `alg`. A secret is never empty (jose refuses).
// A request that makes no sense ends the process with status 1 and a sentence on standard error.

import { createInterface } from 'node:readline';
import process from 'node:process';
import { SignJWT, UnsecuredJWT, exportJWK, exportSPKI, generateKeyPair } from 'jose';

const pairs = new Map();

/** The key pair of this process for an asymmetric algorithm, made on first use. */
async function pairFor(alg, name = '') {
  const id = `${alg} ${name}`;
  if (!pairs.has(id)) pairs.set(id, await generateKeyPair(alg, { extractable: true }));
  return pairs.get(id);
}

/** What one request asks for, as one line of text. */
async function answer({ alg, secret, claims, header = {}, key: name, jwk, public_key: wanted }) {
  if (jwk) {
    const exported = await exportJWK((await pairFor(jwk, name)).publicKey);
    return JSON.stringify({ ...exported, kid: name, alg: jwk, use: 'sig' });
  }
  if (wanted) return JSON.stringify(await exportSPKI((await pairFor(wanted)).publicKey));
  if (alg === 'none') return new UnsecuredJWT(claims).encode();
  const key = alg.startsWith('HS') ? new TextEncoder().encode(secret) : (await pairFor(alg, name)).privateKey;
  return new SignJWT(claims).setProtectedHeader({ ...header, alg }).sign(key);
}

try {
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim()) process.stdout.write(`${await answer(JSON.parse(line))}\n`);
  }
} catch (error) {
  process.stderr.write(`sign-jwt: ${error.message}\n`);
  process.exitCode = 1;
}
