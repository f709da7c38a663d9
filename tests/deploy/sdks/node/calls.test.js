// Calls, their recordings, and what is said in them.
import assert from "node:assert/strict";
import test from "node:test";

import { ACCOUNT, SENDER, TALK, client } from "./emulator.js";
import { inPages, missing, newestFirst, now, pass, refused, shows, sid } from "./emulator.js";

const dial = (to, more = {}) => client.calls.create({ to, from: SENDER, twiml: TALK, ...more });

async function talking(to, more) {
  const call = await dial(to, more);
  await pass(60);
  return call;
}

test("a call is made, answered, hung up and deleted", async () => {
  const created = await now();
  const made = await dial("+15559200011");
  shows(made, "CallInstance", {
    sid: sid("CA"), accountSid: ACCOUNT, apiVersion: "2010-04-01", to: "+15559200011", from: SENDER, status: "queued",
    direction: "outbound-api", dateCreated: created, dateUpdated: created, startTime: null, endTime: null,
    duration: null, price: null, priceUnit: "USD", answeredBy: null, parentCallSid: null,
  });
  await pass(60);
  const answered = await client.calls(made.sid).fetch();
  shows(answered, "CallInstance", { status: "in-progress", dateCreated: created, endTime: null });
  assert.ok(answered.startTime instanceof Date && answered.startTime > created);
  await refused(client.calls(made.sid).remove(), 409, 20009);
  const ended = await client.calls(made.sid).update({ status: "completed" });
  shows(ended, "CallInstance", { status: "completed", endTime: await now(), price: "-0.01400", duration: /^\d+$/ });
  assert.ok(Math.abs((ended.endTime - ended.startTime) / 1000 - Number(ended.duration)) <= 1);
  assert.equal(await client.calls(made.sid).remove(), true);
  await missing(client.calls(made.sid).fetch());
});

test("a call is told to do something else", async () => {
  const { sid: callSid } = await talking("+15559200012");
  const call = client.calls(callSid);
  shows(await call.update({ twiml: "<Response><Hangup/></Response>" }), "CallInstance", { sid: callSid });
  await pass(5);
  shows(await call.fetch(), "CallInstance", { status: "completed" });
});

for (const [to, status] of [["+15005570001", "busy"], ["+15005570002", "no-answer"], ["+15005570003", "failed"]]) {
  test(`a call ends with ${status}`, async () => {
    const call = await dial(to);
    await pass(120);
    shows(await client.calls(call.sid).fetch(), "CallInstance", {
      status, startTime: null, duration: "0", price: null,
    });
  });
}

test("calls are listed in pages, by status and by time", async () => {
  const to = "+15559200013";
  const before = await now();
  const made = [];
  for (let n = 0; n < 5; n += 1) made.push(await dial(to));
  await pass(60);
  await client.calls(made[0].sid).update({ status: "completed" });
  newestFirst(await inPages(client.calls, { to }), made);
  newestFirst(await client.calls.list({ to, status: "completed" }), [made[0]]);
  assert.equal((await client.calls.list({ to, startTimeBefore: new Date(+before - 86_400_000) })).length, 0);
});

test("a call is recorded, paused, resumed, stopped, and the recording deleted", async () => {
  const { sid: callSid } = await talking("+15559200014");
  const created = await now();
  const { recordings } = client.calls(callSid);
  const begun = await recordings.create({ recordingChannels: "dual", recordingTrack: "both" });
  shows(begun, "RecordingInstance", {
    sid: sid("RE"), accountSid: ACCOUNT, callSid, status: "in-progress", channels: 2, source: "StartCallRecordingAPI",
    track: "both", dateCreated: created, startTime: created, duration: null, price: null, errorCode: null,
  });
  const current = client.calls(callSid).recordings("Twilio.CURRENT");
  shows(await current.update({ status: "paused", pauseBehavior: "skip" }), "RecordingInstance", { status: "paused" });
  await pass(10);
  shows(await current.update({ status: "in-progress" }), "RecordingInstance", { status: "in-progress" });
  await pass(7);
  shows(await current.update({ status: "stopped" }), "RecordingInstance", { sid: begun.sid });
  await pass(60);
  shows(await recordings(begun.sid).fetch(), "RecordingInstance", {
    status: "completed", duration: "7", price: -0.0025,
  });
  newestFirst(await recordings.list(), [begun]);
  assert.equal(await recordings(begun.sid).remove(), true);
  await missing(recordings(begun.sid).fetch());
});

test("recordings of a call are listed in pages", async () => {
  const { sid: callSid } = await talking("+15559200015", {
    twiml: `<Response>${"<Record maxLength='5'/>".repeat(3)}</Response>`,
  });
  const found = await inPages(client.calls(callSid).recordings);
  assert.equal(found.length, 3);
  for (const each of found) shows(each, "RecordingInstance", { callSid, source: "RecordVerb", status: "completed" });
});

test("a call is put into words until that is stopped", async () => {
  const { sid: callSid } = await talking("+15559200016");
  const { transcriptions } = client.calls(callSid);
  const begun = await transcriptions.create({ name: "words", track: "both_tracks" });
  shows(begun, "TranscriptionInstance", {
    sid: sid("GT"), accountSid: ACCOUNT, callSid, name: "words", status: "in-progress", dateUpdated: await now(),
  });
  await pass(10);
  shows(await transcriptions(begun.sid).update({ status: "stopped" }), "TranscriptionInstance", {
    sid: begun.sid, status: "stopped", dateUpdated: await now(),
  });
});
