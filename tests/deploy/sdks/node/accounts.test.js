// The account, those below it, what is left to spend, and who may ask.
import assert from "node:assert/strict";
import test from "node:test";

import { ACCOUNT, SENDER, client, connect, inPages, newestFirst, now, pass, refused, shows, sid } from "./emulator.js";

test("our account is fetched", async () => {
  shows(await client.api.accounts(ACCOUNT).fetch(), "AccountInstance", {
    sid: ACCOUNT, ownerAccountSid: ACCOUNT, status: "active", type: "Full",
    dateCreated: new Date("2020-01-01T00:00:00Z"),
  });
});

test("a sub-account is made, renamed, suspended and closed for good", async () => {
  const created = await now();
  const made = await client.api.accounts.create({ friendlyName: "Branch" });
  shows(made, "AccountInstance", {
    sid: sid("AC"), friendlyName: "Branch", ownerAccountSid: ACCOUNT, status: "active", authToken: /^[0-9a-f]{32}$/,
    dateCreated: created, dateUpdated: created,
  });
  const own = connect(made.sid, made.authToken, made.sid);
  shows(await own.api.accounts(made.sid).fetch(), "AccountInstance", { sid: made.sid, friendlyName: "Branch" });
  await refused(own.api.accounts(ACCOUNT).fetch(), 401, 20003);
  await pass(5);
  const branch = client.api.accounts(made.sid);
  shows(await branch.update({ friendlyName: "Shop", status: "suspended" }), "AccountInstance", {
    friendlyName: "Shop", status: "suspended", dateUpdated: await now(),
  });
  await refused(own.api.accounts(made.sid).fetch(), 401, 20003);
  shows(await branch.update({ status: "closed" }), "AccountInstance", { status: "closed" });
  await refused(branch.update({ status: "active" }), 400, 20001);
});

test("accounts are listed in pages, by name and by status", async () => {
  const made = [];
  for (let n = 0; n < 3; n += 1) made.push(await client.api.accounts.create({ friendlyName: "Chain" }));
  newestFirst(await inPages(client.api.accounts, { friendlyName: "Chain" }), made);
  await client.api.accounts(made[0].sid).update({ status: "closed" });
  newestFirst(await client.api.accounts.list({ friendlyName: "Chain", status: "closed" }), [made[0]]);
});

test("a message costs something", async () => {
  const before = await client.balance.fetch();
  shows(before, "BalanceInstance", { accountSid: ACCOUNT, currency: "USD", balance: /^\d+\.\d+$/ });
  await client.messages.create({ to: "+15005560000", from: SENDER, body: "x".repeat(1000) });
  await pass(60);
  assert.ok(Number((await client.balance.fetch()).balance) < Number(before.balance));
});

test("an API key may ask instead of the account", async () => {
  const [name, secret] = process.env.EMULATOR_API_KEYS.split(":");
  shows(await connect(name, secret).balance.fetch(), "BalanceInstance", { accountSid: ACCOUNT });
  await refused(connect(name, "another").balance.fetch(), 401, 20003);
});
