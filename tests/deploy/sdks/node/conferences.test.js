// Conferences, who is in them, and their recordings.
import assert from "node:assert/strict";
import test from "node:test";

import { ACCOUNT, SENDER, client, inPages, missing, newestFirst, now, pass, shows, sid } from "./emulator.js";

const add = (room, label, more = {}) =>
  client.conferences(room).participants.create({ to: "+15559200020", from: SENDER, label, ...more });

/** A conference of so many people who have come. */
async function meeting(room, people, more) {
  const added = [];
  for (let n = 0; n < people; n += 1) added.push(await add(room, `${room}-${n}`, more));
  await pass(60);
  return { conferenceSid: added[0].conferenceSid, added };
}

test("a conference begins, is read, and is ended", async () => {
  const created = await now();
  const { conferenceSid } = await meeting("standup", 2);
  shows(await client.conferences(conferenceSid).fetch(), "ConferenceInstance", {
    sid: sid("CF"), accountSid: ACCOUNT, apiVersion: "2010-04-01", friendlyName: "standup", status: "in-progress",
    region: "us1", dateCreated: created, reasonConferenceEnded: null, callSidEndingConference: null,
  });
  shows(await client.conferences(conferenceSid).update({ status: "completed" }), "ConferenceInstance", {
    status: "completed", reasonConferenceEnded: "conference-ended-via-api", dateUpdated: await now(),
  });
});

test("conferences are listed in pages, by name and by status", async () => {
  const made = [];
  for (const room of ["one", "two", "three"]) made.push((await meeting(room, 1)).added[0].conferenceSid);
  const asked = made.map((each) => ({ sid: each }));
  newestFirst(await inPages(client.conferences), asked);
  newestFirst(await client.conferences.list({ friendlyName: "two" }), [asked[1]]);
  newestFirst(await client.conferences.list({ status: "init" }), asked);
});

test("a participant is added, muted, held, and removed", async () => {
  const created = await now();
  const made = await add("planning", "Ada", { endConferenceOnExit: false });
  shows(made, "ParticipantInstance", {
    accountSid: ACCOUNT, callSid: sid("CA"), conferenceSid: sid("CF"), label: "Ada", status: "queued", muted: false,
    hold: false, coaching: false, callSidToCoach: null, startConferenceOnEnter: true, endConferenceOnExit: false,
    dateCreated: created, dateUpdated: created,
  });
  await pass(60);
  const { conferenceSid, callSid } = made;
  const { participants } = client.conferences(conferenceSid);
  shows(await participants("Ada").fetch(), "ParticipantInstance", {
    callSid, status: "connected", dateCreated: created,
  });
  shows(await participants(callSid).update({ muted: true }), "ParticipantInstance", { muted: true, hold: false });
  shows(await participants("Ada").update({ hold: true, muted: false }), "ParticipantInstance", {
    muted: false, hold: true, dateUpdated: await now(),
  });
  assert.equal(await participants(callSid).remove(), true);
  await missing(participants(callSid).fetch());
});

test("participants are listed in pages and by what they are", async () => {
  const { conferenceSid, added } = await meeting("review", 3);
  const { participants } = client.conferences(conferenceSid);
  const callSids = (found) => found.map((each) => each.callSid);
  assert.deepEqual(callSids(await inPages(participants)), callSids(added).reverse());
  await participants("review-1").update({ muted: true });
  assert.deepEqual(callSids(await participants.list({ muted: true })), [added[1].callSid]);
  assert.equal((await participants.list({ muted: false, hold: false })).length, 2);
});

test("a conference is recorded, paused, and the recording deleted", async () => {
  const { conferenceSid } = await meeting("retro", 2, { conferenceRecord: "record-from-start" });
  const { recordings } = client.conferences(conferenceSid);
  const [begun, ...others] = await recordings.list();
  assert.deepEqual(others, []);
  shows(begun, "RecordingInstance", {
    sid: sid("RE"), accountSid: ACCOUNT, conferenceSid, callSid: null, status: "in-progress", source: "Conference",
    duration: null, price: null,
  });
  assert.ok(begun.startTime instanceof Date && begun.startTime <= (await now()));
  shows(await recordings(begun.sid).update({ status: "paused" }), "RecordingInstance", { status: "paused" });
  await client.conferences(conferenceSid).update({ status: "completed" });
  await pass(60);
  shows(await recordings(begun.sid).fetch(), "RecordingInstance", {
    status: "completed", duration: /^\d+$/, price: /^-0\.\d{5}$/,
  });
  assert.equal(await recordings(begun.sid).remove(), true);
  await missing(recordings(begun.sid).fetch());
});
