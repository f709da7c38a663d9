// What is refused is thrown, with the provider's codes.
import test from "node:test";

import { ACCOUNT, PICTURE, SENDER, TALK, client, connect, missing, refused } from "./emulator.js";

const nobody = (prefix) => `${prefix}${"0".repeat(32)}`;
const message = (parameters) => client.messages.create({ to: "+15559200050", from: SENDER, body: "a", ...parameters });
const call = (parameters) => client.calls.create({ to: "+15559200051", from: SENDER, twiml: TALK, ...parameters });

const REFUSED = {
  "a message to what is no number": [() => message({ to: "Ada" }), 400, 21211],
  "a message to the provider's number that is none": [() => message({ to: "+15005550001" }), 400, 21211],
  "a message to who cannot be reached": [() => message({ to: "+15005550002" }), 400, 21612],
  "a message to a region without permission": [() => message({ to: "+15005550003" }), 400, 21408],
  "a message to who wants none": [() => message({ to: "+15005550004" }), 400, 21610],
  "a message to a landline": [() => message({ to: "+15005550009" }), 400, 21614],
  "a message from nobody": [() => message({ from: undefined }), 400, 21603],
  "a message from who cannot write": [() => message({ from: "+15005550007" }), 400, 21606],
  "a message of nothing": [() => message({ body: undefined }), 400, 21602],
  "a message that is too long": [() => message({ body: "a".repeat(1601) }), 400, 21617],
  "feedback of another kind": [
    async () => client.messages((await message()).sid).feedback.create({ outcome: "great" }), 400, 20001,
  ],
  "a call to what is no number": [() => call({ to: "Ada" }), 400, 21211],
  "a call to the provider's number that is none": [() => call({ to: "+15005550001" }), 400, 21217],
  "a call from what may not call": [() => call({ from: "+15005550001" }), 400, 21212],
  "a call that is told nothing": [() => call({ twiml: undefined }), 400, 21205],
  "a recording of a call that nobody has answered": [
    async () => client.calls((await call()).sid).recordings.create(), 400, 21220,
  ],
  "a number that is not for sale": [
    () => client.incomingPhoneNumbers.create({ phoneNumber: "+15005550000" }), 400, 21422,
  ],
  "a number that is none": [() => client.incomingPhoneNumbers.create({ phoneNumber: "+15005550001" }), 400, 21421],
  "an area without numbers": [() => client.incomingPhoneNumbers.create({ areaCode: "533" }), 400, 21452],
  "a fallback of nothing": [
    () => client.incomingPhoneNumbers.create({ areaCode: "212", voiceFallbackUrl: PICTURE }), 400, 21405,
  ],
  "a caller ID that is none": [() => client.validationRequests.create({ phoneNumber: "12" }), 400, 21401],
  "our own account's end": [() => client.api.accounts(ACCOUNT).update({ status: "closed" }), 400, 20001],
  "another token": [() => connect(ACCOUNT, "another").messages.list(), 401, 20003],
  "another account": [() => connect(nobody("AC"), "another").messages.list(), 401, 20003],
};

for (const [what, [ask, status, code]] of Object.entries(REFUSED)) {
  test(`refused: ${what}`, () => refused(ask(), status, code));
}

const MISSING = {
  message: () => client.messages(nobody("SM")).fetch(),
  "files of a message": () => client.messages(nobody("SM")).media.list(),
  "file of a message": () => client.messages(nobody("SM")).media(nobody("ME")).fetch(),
  call: () => client.calls(nobody("CA")).update({ status: "completed" }),
  "recording of a call": () => client.calls(nobody("CA")).recordings(nobody("RE")).fetch(),
  conference: () => client.conferences(nobody("CF")).update({ status: "completed" }),
  participant: () => client.conferences(nobody("CF")).participants(nobody("CA")).update({ muted: true }),
  recording: () => client.recordings(nobody("RE")).remove(),
  transcription: () => client.transcriptions(nobody("TR")).remove(),
  number: () => client.incomingPhoneNumbers(nobody("PN")).update({ friendlyName: "a" }),
  country: () => client.availablePhoneNumbers("AQ").fetch(),
  "kind of number": () => client.availablePhoneNumbers("US").mobile.list(),
  "caller ID": () => client.outgoingCallerIds(nobody("PN")).remove(),
  account: () => client.api.accounts(nobody("AC")).update({ friendlyName: "a" }),
};

for (const [what, ask] of Object.entries(MISSING)) test(`missing: ${what}`, () => missing(ask()));
