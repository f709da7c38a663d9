"""What a recording sounds like: silence of its length, as a file that any player opens.

WAV is 8 kHz, 8 bit, as many channels as the recording has; MP3 is MPEG-2.5 layer III at 8 kHz and 8 kbit/s, mono.
"""

import io
import wave

RATE = 8000
LONGEST = 120  # seconds: a file is at most two megabytes
# A frame without any sound: its header, and side information and data that are all zero; 576 samples.
MP3_FRAME, MP3_SAMPLES = b"\xff\xe3\x18\xc0" + bytes(68), 576


def wav(seconds: int, channels: int) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(1)
        file.setframerate(RATE)
        file.writeframes(b"\x80" * (RATE * min(seconds, LONGEST) * channels))
    return made.getvalue()


def mp3(seconds: int) -> bytes:
    return MP3_FRAME * -(-RATE * min(seconds, LONGEST) // MP3_SAMPLES)
