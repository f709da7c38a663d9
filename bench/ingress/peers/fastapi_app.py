"""What people write in Python: FastAPI, the SDK's validator, aiokafka. Runs in a virtual environment of its own."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, Request, Response
from twilio.request_validator import RequestValidator

port, broker, topic, base, token = sys.argv[1:]
validator = RequestValidator(token)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", enable_idempotence=True, linger_ms=2)
    await app.state.producer.start()
    yield
    await app.state.producer.stop()


app = FastAPI(lifespan=lifespan)


@app.post("/webhooks/messages/status")
async def status(request: Request) -> Response:
    body = await request.body()
    form = await request.form()
    if not validator.validate(base + request.url.path, form, request.headers.get("X-Twilio-Signature", "")):
        return Response(status_code=403)
    await app.state.producer.send_and_wait(topic, body, key=str(form["MessageSid"]).encode())
    return Response(status_code=204)


if __name__ == "__main__":
    uvicorn.run(app, port=int(port), loop="uvloop", http="httptools", access_log=False, log_level="warning")
