// Messages, their files, and feedback on them.
import assert from "node:assert/strict";
import test from "node:test";

import { ACCOUNT, BASIC, PICTURE, SENDER, client, local } from "./emulator.js";
import { inPages, missing, newestFirst, now, pass, refused, shows, sid } from "./emulator.js";

const send = (to, more = {}) => client.messages.create({ to, from: SENDER, body: "Hello", ...more });

test("a message is sent, delivered, redacted and deleted", async () => {
  const created = await now();
  const made = await send("+15005560000");
  shows(made, "MessageInstance", {
    sid: sid("SM"), accountSid: ACCOUNT, apiVersion: "2010-04-01", to: "+15005560000", from: SENDER, body: "Hello",
    status: "queued", direction: "outbound-api", numMedia: "0", numSegments: "1", dateCreated: created,
    dateUpdated: created, dateSent: null, errorCode: null, errorMessage: null, price: null, priceUnit: "USD",
  });
  await pass(60);
  const delivered = await client.messages(made.sid).fetch();
  shows(delivered, "MessageInstance", { sid: made.sid, status: "delivered", dateCreated: created, price: "-0.00790" });
  assert.ok(delivered.dateSent instanceof Date && delivered.dateSent >= created);
  shows(await client.messages(made.sid).update({ body: "" }), "MessageInstance", {
    body: "", status: "delivered", dateUpdated: await now(),
  });
  assert.equal(await client.messages(made.sid).remove(), true);
  await missing(client.messages(made.sid).fetch());
});

test("a message that fails tells why as a number and in words", async () => {
  const made = await send("+15005563003");
  await pass(60);
  shows(await client.messages(made.sid).fetch(), "MessageInstance", {
    status: "undelivered", errorCode: 30003, errorMessage: "Unreachable destination handset",
  });
});

test("a scheduled message is canceled, once", async () => {
  const sendAt = new Date(+(await now()) + 3_600_000);
  const messagingServiceSid = `MG${"0".repeat(32)}`;
  const made = await send("+15005560000", { from: undefined, messagingServiceSid, scheduleType: "fixed", sendAt });
  shows(made, "MessageInstance", { status: "scheduled", messagingServiceSid, from: null });
  const message = client.messages(made.sid);
  shows(await message.update({ status: "canceled" }), "MessageInstance", { status: "canceled", dateSent: null });
  await refused(message.update({ status: "canceled" }), 409, 30409);
});

test("messages are listed in pages and by date", async () => {
  const to = "+15559200001";
  const before = await now();
  const made = [];
  for (let n = 0; n < 5; n += 1) made.push(await send(to));
  await pass(60);
  newestFirst(await inPages(client.messages, { to }), made);
  const day = 86_400_000;
  assert.equal((await client.messages.list({ to, dateSentAfter: new Date(+before - day) })).length, 5);
  assert.equal((await client.messages.list({ to, dateSentBefore: new Date(+before - day) })).length, 0);
  assert.equal((await client.messages.list({ to, limit: 3 })).length, 3);
});

test("files of a message are listed in pages, fetched and deleted", async () => {
  const created = await now();
  const message = await send("+15559200002", { mediaUrl: [PICTURE, PICTURE, PICTURE] });
  shows(message, "MessageInstance", { sid: sid("MM"), numMedia: "3" });
  const { media } = client.messages(message.sid);
  const [first, ...others] = await inPages(media);
  shows(await media(first.sid).fetch(), "MediaInstance", {
    sid: sid("ME"), accountSid: ACCOUNT, parentSid: message.sid, contentType: "image/png", dateCreated: created,
  });
  const where = local(`https://api.twilio.com${first.uri}`).replace(".json", "");
  const file = await fetch(where, { headers: { authorization: BASIC } });
  assert.deepEqual([file.status, file.headers.get("content-type")], [200, "image/png"]);
  assert.ok((await file.arrayBuffer()).byteLength > 0);
  assert.equal(await media(first.sid).remove(), true);
  await missing(media(first.sid).fetch());
  const left = await media.list();
  assert.deepEqual(left.map((each) => each.sid), others.map((each) => each.sid));
});

test("whoever got a message gives feedback", async () => {
  const created = await now();
  const message = await send("+15559200003");
  shows(await client.messages(message.sid).feedback.create({ outcome: "unconfirmed" }), "FeedbackInstance", {
    accountSid: ACCOUNT, messageSid: message.sid, outcome: "unconfirmed", dateCreated: created, dateUpdated: created,
  });
});
