// What the provider keeps of its requests: events of a call, and notifications of what went wrong.
import assert from "node:assert/strict";
import test from "node:test";

import { ACCOUNT, SENDER, TALK, client, inPages, missing, newestFirst, pass, shows, sid } from "./emulator.js";

async function mumbled(to) {
  const twiml = TALK.replace("<Response>", `<Response>${"<Mumble/>".repeat(3)}`);
  const { sid: callSid } = await client.calls.create({ to, from: SENDER, twiml });
  await pass(60);
  return callSid;
}

test("events of a call are listed in pages", async () => {
  const callSid = await mumbled("+15559200071");
  await client.calls(callSid).update({ twiml: TALK });
  await client.calls(callSid).update({ status: "completed" });
  const [ended, redirected, made, ...others] = await inPages(client.calls(callSid).events);
  assert.deepEqual(others, []);
  for (const each of [ended, redirected, made]) {
    assert.equal(each.constructor.name, "EventInstance");
    assert.equal(each.request.method, "POST");
    assert.ok(Date.parse(each.response.date_created));
  }
  assert.deepEqual([made, redirected, ended].map((each) => each.response.response_code), [201, 200, 200]);
  assert.equal(ended.request.parameters.status, "completed");
});

test("notifications of a call are listed in pages and fetched", async () => {
  const callSid = await mumbled("+15559200072");
  const { notifications } = client.calls(callSid);
  const found = await inPages(notifications, { log: 1 });
  const wrong = await notifications(found[0].sid).fetch();
  shows(wrong, "NotificationInstance", {
    sid: sid("NO"), accountSid: ACCOUNT, callSid, apiVersion: "2010-04-01", errorCode: "12200", log: "1",
    moreInfo: /12200/, messageText: /LogLevel=WARNING/, dateCreated: found[0].dateCreated,
  });
  assert.ok(wrong.messageDate instanceof Date);
  assert.deepEqual(await notifications.list({ log: 0 }), []);
});

test("notifications are listed in pages and by day, and fetched", async () => {
  const callSid = await mumbled("+15559200073");
  const found = await inPages(client.notifications);
  const ours = found.filter((each) => each.callSid === callSid);
  assert.equal(ours.length, 3);
  newestFirst(await client.calls(callSid).notifications.list(), ours.reverse());
  shows(await client.notifications(ours[0].sid).fetch(), "NotificationInstance", { sid: ours[0].sid, callSid });
  assert.deepEqual(await client.notifications.list({ messageDateBefore: new Date("2025-12-30T00:00:00Z") }), []);
  await missing(client.notifications(`NO${"0".repeat(32)}`).fetch());
});
