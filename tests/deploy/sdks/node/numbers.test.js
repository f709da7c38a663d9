// Numbers: for sale, ours, and other people's that we may call from.
import assert from "node:assert/strict";
import test from "node:test";

import { ACCOUNT, PICTURE, client, inPages, missing, newestFirst, now, pass, shows, sid } from "./emulator.js";

const FOR_SALE = {
  local: "US", tollFree: "US", mobile: "GB", national: "GB", voip: "FR", sharedCost: "FR", machineToMachine: "FR",
};

test("countries that numbers are sold in are listed and fetched", async () => {
  const countries = await client.availablePhoneNumbers.list();
  assert.ok(countries.some((each) => each.countryCode === "DE"));
  const found = await client.availablePhoneNumbers("GB").fetch();
  shows(found, "AvailablePhoneNumberCountryInstance", { countryCode: "GB", country: "United Kingdom", beta: false });
  assert.ok("mobile" in found.subresourceUris);
});

for (const [kind, country] of Object.entries(FOR_SALE)) {
  test(`numbers for sale are listed in pages: ${kind}`, async () => {
    const found = await inPages(client.availablePhoneNumbers(country)[kind], {}, 9);
    const name = `${kind[0].toUpperCase()}${kind.slice(1)}Instance`;
    for (const each of found) {
      shows(each, name, { isoCountry: country, phoneNumber: /^\+\d{8,15}$/, friendlyName: /\d/ });
      for (const is of [each.beta, ...Object.values(each.capabilities)]) assert.equal(typeof is, "boolean");
    }
    assert.equal(new Set(found.map((each) => each.phoneNumber)).size, found.length);
  });
}

test("numbers for sale are searched by place and ability", async () => {
  const found = await client.availablePhoneNumbers("US").local.list({ areaCode: 415, smsEnabled: true });
  for (const each of found) {
    shows(each, "LocalInstance", {
      phoneNumber: /^\+1415555/, locality: "San Francisco", region: "CA", latitude: 37.77, longitude: -122.42,
    });
    assert.equal(each.capabilities.sms, true);
  }
  assert.ok(found.length > 1);
});

test("a number is bought, configured and released", async () => {
  const created = await now();
  const made = await client.incomingPhoneNumbers.create({ areaCode: "415", friendlyName: "Shop", voiceUrl: PICTURE });
  shows(made, "IncomingPhoneNumberInstance", {
    sid: sid("PN"), accountSid: ACCOUNT, phoneNumber: /^\+1415555/, friendlyName: "Shop", voiceUrl: PICTURE,
    voiceMethod: "POST", status: "in-use", type: "local", origin: "twilio", emergencyStatus: "Inactive",
    voiceCallerIdLookup: false, addressRequirements: "none", dateCreated: created, dateUpdated: created,
  });
  await pass(60);
  const smsUrl = `${PICTURE}?sms`;
  const number = client.incomingPhoneNumbers(made.sid);
  shows(await number.update({ smsUrl, smsMethod: "GET", friendlyName: "Desk" }), "IncomingPhoneNumberInstance", {
    smsUrl, smsMethod: "GET", friendlyName: "Desk", voiceUrl: PICTURE, dateCreated: created, dateUpdated: await now(),
  });
  shows(await number.fetch(), "IncomingPhoneNumberInstance", { phoneNumber: made.phoneNumber, smsUrl });
  assert.equal(await number.remove(), true);
  await missing(number.fetch());
});

for (const kind of ["local", "mobile", "tollFree"]) {
  test(`numbers are bought and listed in pages: ${kind}`, async () => {
    const offers = await client.availablePhoneNumbers(FOR_SALE[kind])[kind].list({ limit: 3 });
    const numbers = client.incomingPhoneNumbers[kind];
    const friendlyName = `Team ${kind}`;
    const made = [];
    for (const { phoneNumber } of offers) made.push(await numbers.create({ phoneNumber, friendlyName }));
    const name = `${kind[0].toUpperCase()}${kind.slice(1)}Instance`;
    made.forEach((each, n) => {
      shows(each, name, { sid: sid("PN"), phoneNumber: offers[n].phoneNumber, friendlyName, smsMethod: "POST" });
      assert.ok(each.dateCreated instanceof Date);
    });
    newestFirst(await inPages(numbers, { friendlyName }), made);
    newestFirst(await inPages(client.incomingPhoneNumbers, { friendlyName }), made);
    const digits = made[1].phoneNumber.slice(1);
    newestFirst(await client.incomingPhoneNumbers.list({ phoneNumber: digits }), [made[1]]);
  });
}

test("other people's numbers are verified, listed in pages, renamed and given up", async () => {
  const begun = await now();
  for (const n of [1, 2, 3]) {
    const phoneNumber = `+1555920004${n}`;
    const asked = await client.validationRequests.create({ phoneNumber, friendlyName: "Cell" });
    shows(asked, "ValidationRequestInstance", {
      accountSid: ACCOUNT, phoneNumber, friendlyName: "Cell", callSid: sid("CA"), validationCode: /^\d{6}$/,
    });
  }
  await pass(120);
  const found = await inPages(client.outgoingCallerIds, { friendlyName: "Cell" });
  assert.equal(found.length, 3);
  const [one] = await client.outgoingCallerIds.list({ phoneNumber: "+15559200041" });
  const callerId = client.outgoingCallerIds(one.sid);
  shows(await callerId.fetch(), "OutgoingCallerIdInstance", {
    sid: sid("PN"), accountSid: ACCOUNT, phoneNumber: "+15559200041", friendlyName: "Cell",
  });
  assert.ok(one.dateCreated instanceof Date && one.dateCreated > begun);
  shows(await callerId.update({ friendlyName: "Work" }), "OutgoingCallerIdInstance", {
    friendlyName: "Work", dateCreated: one.dateCreated, dateUpdated: await now(),
  });
  assert.equal(await callerId.remove(), true);
  await missing(callerId.fetch());
});
