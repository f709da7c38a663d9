// What people write in Node: Express, the SDK's middleware, kafkajs; with a batch by hand, since kafkajs sends each
// call on its own.
import express from "express";
import { CompressionTypes, Kafka, logLevel } from "kafkajs";
import twilio from "twilio";

const [port, broker, topic, base, token] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });
const producer = kafka.producer({ allowAutoTopicCreation: false });
await producer.connect();

let waiting = [];
function held(message) {
  return new Promise((resolve, reject) => {
    waiting.push({ message, resolve, reject });
    if (waiting.length === 1) setTimeout(send, 2);
  });
}
async function send() {
  const batch = waiting;
  waiting = [];
  try {
    const messages = batch.map((each) => each.message);
    await producer.send({ topic, acks: -1, compression: CompressionTypes.None, messages });
    for (const each of batch) each.resolve();
  } catch (error) {
    for (const each of batch) each.reject(error);
  }
}

const app = express();
app.disable("x-powered-by");
app.use(express.urlencoded({ extended: false }));
app.post("/webhooks/messages/status", twilio.webhook(token, { url: `${base}/webhooks/messages/status` }), async (request, response) => {
  await held({ key: request.body.MessageSid, value: JSON.stringify(request.body) });
  response.status(204).end();
});
app.listen(Number(port), "127.0.0.1");
