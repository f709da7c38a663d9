// Recordings of the whole account, their sound, and their transcriptions.
import assert from "node:assert/strict";
import test from "node:test";

import { ACCOUNT, BASIC, SENDER, client, inPages, local, missing, newestFirst, pass, shows, sid } from "./emulator.js";

/** A call with three recordings, each of them transcribed; newest first. */
async function dictated(to) {
  const twiml = `<Response>${"<Record maxLength='5' transcribe='true'/>".repeat(3)}</Response>`;
  const { sid: callSid } = await client.calls.create({ to, from: SENDER, twiml });
  await pass(120);
  return { callSid, made: await client.recordings.list({ callSid }) };
}

test("recordings are listed in pages, fetched and deleted", async () => {
  const { callSid, made } = await dictated("+15559200031");
  assert.equal(made.length, 3);
  newestFirst(await inPages(client.recordings, { callSid }), [...made].reverse());
  const found = await client.recordings(made[0].sid).fetch();
  shows(found, "RecordingInstance", {
    sid: sid("RE"), accountSid: ACCOUNT, apiVersion: "2010-04-01", callSid, conferenceSid: null, status: "completed",
    channels: 1, source: "RecordVerb", duration: /^[1-5]$/, price: "-0.00250", priceUnit: "USD", errorCode: null,
    dateCreated: made[0].dateCreated, mediaUrl: /^https:.*\/Recordings\/RE[0-9a-f]{32}$/,
  });
  assert.ok(found.dateCreated instanceof Date && found.dateCreated > made[2].dateCreated);
  assert.equal(await client.recordings(found.sid).remove(), true);
  await missing(client.recordings(found.sid).fetch());
  const deleted = await client.recordings(found.sid).fetch({ includeSoftDeleted: true });
  shows(deleted, "RecordingInstance", { status: "deleted" });
});

test("the sound of a recording is for who has the credentials", async () => {
  const { made } = await dictated("+15559200032");
  const { mediaUrl, duration } = await client.recordings(made[0].sid).fetch();
  const headers = { authorization: BASIC };
  const wav = await fetch(local(`${mediaUrl}.wav`), { headers });
  assert.deepEqual([wav.status, wav.headers.get("content-type")], [200, "audio/x-wav"]);
  const sound = Buffer.from(await wav.arrayBuffer());
  assert.equal(sound.toString("latin1", 0, 4) + sound.toString("latin1", 8, 12), "RIFFWAVE");
  assert.ok(sound.length > 8000 * Number(duration));
  assert.equal((await fetch(local(`${mediaUrl}.mp3`), { headers })).headers.get("content-type"), "audio/mpeg");
  assert.equal((await fetch(local(`${mediaUrl}.wav`))).status, 401);
});

test("transcriptions of a recording are listed, fetched and deleted", async () => {
  const { made: [{ sid: recordingSid }] } = await dictated("+15559200033");
  const { transcriptions } = client.recordings(recordingSid);
  const [found, ...others] = await transcriptions.list();
  assert.deepEqual(others, []);
  shows(await transcriptions(found.sid).fetch(), "TranscriptionInstance", { sid: found.sid, recordingSid });
  assert.equal(await transcriptions(found.sid).remove(), true);
  await missing(transcriptions(found.sid).fetch());
});

test("transcriptions are listed in pages, fetched and deleted", async () => {
  const { made } = await dictated("+15559200034");
  const recordingSids = made.map((each) => each.sid);
  const found = (await inPages(client.transcriptions)).filter((each) => recordingSids.includes(each.recordingSid));
  assert.deepEqual(found.map((each) => each.recordingSid), recordingSids);
  const transcription = client.transcriptions(found[0].sid);
  const words = await transcription.fetch();
  shows(words, "TranscriptionInstance", {
    sid: sid("TR"), accountSid: ACCOUNT, recordingSid: recordingSids[0], status: "completed", type: "fast",
    transcriptionText: /\w/, duration: /^[1-5]$/, price: -0.05, priceUnit: "USD",
  });
  assert.ok(words.dateCreated instanceof Date && words.dateUpdated >= words.dateCreated);
  assert.equal(await transcription.remove(), true);
  await missing(transcription.fetch());
});
