"""The front door: Twilio's signed webhooks in, events out."""
