// The official SDK in front of an emulator in virtual time, and what the suites expect of its answers.
import assert from "node:assert/strict";

import twilio from "twilio";

const { EMULATOR_URL, TWILIO_ACCOUNT_SID: ACCOUNT, TWILIO_AUTH_TOKEN: TOKEN } = process.env;
assert.ok(EMULATOR_URL && ACCOUNT && TOKEN, "set EMULATOR_URL, TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN");
export { ACCOUNT, TOKEN };
export const SENDER = "+15005550006";
export const TALK = "<Response><Pause length='3000'/></Response>";
export const PICTURE = "https://files.example.com/picture.png";

/** The SDK's own HTTP client; counts what it sends. */
class Emulated extends twilio.RequestClient {
  sent = 0;

  request(options) {
    this.sent += 1;
    return super.request({ ...options, uri: local(options.uri) });
  }
}

/** Where the emulator has what the provider has at this URL. */
export function local(url) {
  return url.replace("https://api.twilio.com", EMULATOR_URL);
}

export function connect(name = ACCOUNT, secret = TOKEN, accountSid = ACCOUNT) {
  return twilio(name, secret, { accountSid, httpClient: new Emulated() });
}

export const client = connect();
export const BASIC = `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString("base64")}`;

async function control(path, said) {
  const asked = said ? { method: "POST", body: JSON.stringify(said) } : {};
  const answer = await fetch(`${EMULATOR_URL}/emulator/${path}`, { ...asked, headers: { authorization: BASIC } });
  const text = await answer.text();
  assert.ok(answer.ok, text);
  return text && JSON.parse(text);
}

/** Let so much virtual time pass; every callback that is due in it has been answered then. */
export const pass = (seconds) => control("time", { seconds });
/** Somebody writes to us (`messages`) or calls us (`calls`). */
export const inbound = (what, said) => control(`inbound/${what}`, said);
export const stream = (said) => control("event-streams", said);
export const debug = (said) => control("debugger", said);

/** Virtual time in whole seconds, as resources tell it. */
export async function now() {
  const { now } = await control("time");
  return new Date(Math.floor(Date.parse(now) / 1000) * 1000);
}

export const sid = (prefix) => new RegExp(`^${prefix}[0-9a-f]{32}$`);

/** It is an object of this class with these values; a pattern must match its text. */
export function shows(found, kind, expected) {
  assert.equal(found.constructor.name, kind);
  const seen = Object.fromEntries(Object.keys(expected).map((name) => [name, found[name]]));
  const matches = (text, pattern) => pattern instanceof RegExp && typeof text === "string" && pattern.test(text);
  const wanted = Object.entries(expected).map(([name, value]) => {
    return [name, matches(seen[name], value) ? seen[name] : value];
  });
  assert.deepEqual(seen, Object.fromEntries(wanted));
}

/** What a list shows when it is read in small pages: a request for each, of which there must be several. */
export async function inPages(list, parameters = {}, pageSize = 2) {
  const before = client.httpClient.sent;
  const found = await list.list({ ...parameters, pageSize });
  assert.ok(found.length > pageSize, `${found.length} are no two pages`);
  assert.equal(client.httpClient.sent - before, Math.ceil(found.length / pageSize));
  return found;
}

/** These, newest first, among what a list of more than them shows. */
export function newestFirst(found, made) {
  const sids = made.map((each) => each.sid);
  const shown = found.map((each) => each.sid);
  assert.equal(new Set(shown).size, shown.length);
  assert.deepEqual(shown.filter((each) => sids.includes(each)), sids.reverse());
}

/** The SDK throws what it makes of a refusal. */
export async function refused(promise, status, code) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof twilio.RestException);
    const { message, moreInfo } = error;
    assert.deepEqual([error.status, error.code], [status, code], message);
    assert.equal(moreInfo, `https://www.twilio.com/docs/errors/${code}`);
    return true;
  });
}

export const missing = (promise) => refused(promise, 404, 20404);
