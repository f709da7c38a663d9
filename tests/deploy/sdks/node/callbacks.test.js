// The SDK's validator accepts every kind of callback as it comes, and nothing else.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";

import twilio from "twilio";

import { ACCOUNT, SENDER, TALK, TOKEN, client, debug, inbound, pass, stream } from "./emulator.js";
import { listening } from "./receiver.js";

const SOMEBODY = "+15559200060";
const WORDS = "Grüße, 你好 & 1+1=2 'so' 100%";
const DOCUMENTS = {
  "/voice-request": `<Response>
    <Mumble/>
    <Record maxLength="5" action="/voice-action" transcribeCallback="/transcription"/>
  </Response>`,
  "/voice-action": TALK,
  "/announcement": "<Response><Say>Welcome</Say></Response>",
};
// Path → how many callbacks come to it at least, and by which method.
const EXPECTED = {
  "/message-status": [2, "POST"],
  "/inbound-message": [1, "POST"],
  "/voice-request": [2, "GET"],
  "/voice-action": [2, "POST"],
  "/call-status": [4, "POST"],
  "/amd-status": [1, "POST"],
  "/recording-status": [2, "POST"],
  "/transcription": [2, "POST"],
  "/live-transcription": [3, "POST"],
  "/participant-call-status": [8, "POST"],
  "/conference-status": [6, "GET"],
  "/announcement": [1, "POST"],
  "/caller-id-status": [1, "POST"],
  "/debugger": [2, "POST"],
  "/event-streams": [1, "POST"],
  "/event": [2, "POST"],
};
let receiver;

before(async () => {
  receiver = await listening(DOCUMENTS);
  const { at } = receiver;
  await stream({ url: at("/event-streams") });
  await debug({ url: at("/debugger") });
  await message(at);
  await inbound("messages", { from: SOMEBODY, to: SENDER, body: WORDS, url: at("/inbound-message") });
  await inbound("calls", { from: SOMEBODY, to: SENDER, url: at("/voice-request"), method: "GET" });
  await client.validationRequests.create({ phoneNumber: SOMEBODY, statusCallback: at("/caller-id-status") });
  const call = await client.calls.create({
    to: SOMEBODY, from: SENDER, url: at("/voice-request"), method: "GET",
    statusCallback: at("/call-status"), statusCallbackEvent: ["initiated", "ringing", "answered", "completed"],
    record: true, recordingStatusCallback: at("/recording-status"),
    recordingStatusCallbackEvent: ["in-progress", "completed"],
    machineDetection: "Enable", asyncAmd: "true", asyncAmdStatusCallback: at("/amd-status"),
  });
  const adding = ["Ada", "Bob"].map((label) => client.conferences("heard").participants.create({
    to: SOMEBODY, from: SENDER, label,
    statusCallback: at("/participant-call-status"),
    statusCallbackEvent: ["initiated", "ringing", "answered", "completed"],
    conferenceStatusCallback: at("/conference-status"), conferenceStatusCallbackMethod: "GET",
    conferenceStatusCallbackEvent: ["start", "end", "join", "leave", "mute", "announcement"],
  }));
  const [{ conferenceSid }] = await Promise.all(adding);
  await pass(60);
  await client.calls(call.sid).transcriptions.create({ statusCallbackUrl: at("/live-transcription") });
  await client.conferences(conferenceSid).participants("Ada").update({ muted: true });
  await client.conferences(conferenceSid).update({ announceUrl: at("/announcement") });
  await pass(60);
  await client.calls(call.sid).update({ status: "completed" });
  await client.conferences(conferenceSid).update({ status: "completed" });
  await pass(60);
  await stream({ url: at("/event"), batch: false });
  await message(at);
  await pass(60);
});

after(async () => {
  await stream({ url: null });
  await debug({ url: null });
  receiver.close();
});

function message(at) {
  const statusCallback = at("/message-status?action=a%20b&note=it's");
  return client.messages.create({ to: "+15005560000", from: SENDER, body: WORDS, statusCallback });
}

function isValid({ method, url, headers, body }, token = TOKEN) {
  const signature = headers["x-twilio-signature"];
  const isJson = headers["content-type"]?.startsWith("application/json");
  if (isJson) return twilio.validateRequestWithBody(token, signature, url, body);
  const params = method === "GET" ? {} : Object.fromEntries(new URLSearchParams(body));
  return twilio.validateRequest(token, signature, url, params);
}

function tampered(callback) {
  const change = (text) => text.replaceAll(ACCOUNT, `AC${"0".repeat(32)}`);
  return { ...callback, url: change(callback.url), body: change(callback.body) };
}

for (const [path, [least, method]] of Object.entries(EXPECTED)) {
  test(`callbacks are valid: ${path}`, () => {
    const found = receiver.received.filter((each) => each.path === path);
    assert.ok(found.length >= least, `${found.length} instead of ${least}`);
    for (const each of found) {
      assert.equal(each.method, method);
      assert.equal(isValid(each), true);
      assert.equal(isValid(each, "0".repeat(32)), false);
      assert.equal(isValid(tampered(each)), false);
      assert.equal(isValid({ ...each, url: `${each.url}?` }), false);
      assert.equal(isValid({ ...each, headers: { ...each.headers, "x-twilio-signature": "" } }), false);
    }
  });
}

test("nothing else came", () => {
  assert.deepEqual(new Set(receiver.received.map((each) => each.path)), new Set(Object.keys(EXPECTED)));
});

test("a message's words come as they were written", () => {
  const [{ body }] = receiver.received.filter((each) => each.path === "/inbound-message");
  assert.equal(new URLSearchParams(body).get("Body"), WORDS);
});

test("events come in arrays, or one by one", () => {
  const told = (path) => receiver.received.filter((each) => each.path === path).map((each) => JSON.parse(each.body));
  const types = told("/event-streams").flat().map((each) => each.type);
  assert.ok(types.includes("com.twilio.messaging.message.delivered"));
  assert.ok(types.includes("com.twilio.voice.status-callback.call.completed"));
  assert.deepEqual(told("/event").map((each) => each.type).sort(), [
    "com.twilio.messaging.message.delivered",
    "com.twilio.messaging.message.sent",
  ]);
});
