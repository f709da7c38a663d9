"""A Twilio that talks back: REST, life cycles, signed callbacks, a seeded fault plan, and the truth.

It is a witness and not an echo: it imports no stage and signs with the official SDK.
"""
