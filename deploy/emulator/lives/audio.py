"""What a recording sounds like: beeps at a pitch that its SID draws, as a file that any player opens.

WAV is 8 kHz, 16 bit, a pitch for each channel; MP3 is MPEG-2.5 layer III at 8 kHz and 8 kbit/s, mono. A sound is one
beep and its pause again and again, so any part of it is made without the rest.
"""

import functools
import math
import struct
from collections.abc import Sequence

from deploy.emulator.errors import File

RATE, WIDTH = 8000, 2  # samples a second, bytes of a sample
LOUDEST = 8000  # of 32,767
BEEPS = 0.6  # of each second
LOWEST, PITCHES, APART = 300, 100, 5  # Hertz

# ISO/IEC 13818-3: a frame has 576 samples and, at this rate, 72 bytes: header, side information, main data.
MP3_HEADER, MP3_SAMPLES, MP3_BYTES = b"\xff\xe3\x18\xc0", 576, 72
MP3_GAIN = 201  # of its one spectral line: about as loud as WAV
MP3_BEEP, MP3_PAUSE = 8, 6  # frames: a second, nearly


def pitch(sid: str, channel: int = 0) -> int:
    """Hertz."""
    at = 2 + 8 * channel
    return LOWEST + APART * (int(sid[at : at + 8], 16) % PITCHES)


def wav(sid: str, seconds: int, voices: int, channels: int) -> File:
    """Of as many voices: each in a channel of its own, or all in one."""
    second = _second(tuple(pitch(sid, voice) for voice in range(voices)), channels)
    block, size = WIDTH * channels, len(second) * seconds
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + size, b"WAVE"),
        *(b"fmt ", 16, 1, channels, RATE, RATE * block, block, 8 * WIDTH),
        *(b"data", size),
    )
    return File(
        f"{sid}.wav/{channels}", "audio/x-wav", len(head) + size, functools.partial(_part, head=head, again=second)
    )


def mp3(sid: str, seconds: int) -> File:
    beep = _frame(round(pitch(sid) * MP3_SAMPLES * 2 / RATE))
    again = beep * MP3_BEEP + _frame(None) * MP3_PAUSE
    length = MP3_BYTES * -(-RATE * seconds // MP3_SAMPLES)
    return File(f"{sid}.mp3", "audio/mpeg", length, functools.partial(_part, head=b"", again=again))


def _part(start: int, end: int, *, head: bytes, again: bytes) -> bytes:
    """From `start` to before `end` of `head` and what comes again and again after it."""
    first = head[start:end]
    at, left = max(start - len(head), 0) % len(again), end - start - len(first)
    return first + (again * -(-(at + left) // len(again)))[at : at + left]


@functools.lru_cache(maxsize=64)
def _second(pitches: Sequence[int], channels: int) -> bytes:
    heard = [[_tone(hertz, at) if at < BEEPS * RATE else 0.0 for hertz in pitches] for at in range(RATE)]
    sounds = [voices if channels == len(pitches) else [sum(voices) / len(voices)] for voices in heard]
    return struct.pack(f"<{RATE * channels}h", *(round(LOUDEST * each) for sound in sounds for each in sound))


def _tone(hertz: int, at: int) -> float:
    return math.sin(2 * math.pi * hertz * at / RATE)


def _frame(line: int | None) -> bytes:
    """A frame whose only sound is one spectral line of 576, the even one below; or none.

    Table 1 writes a pair of zeros as 1, and a one before a zero as 01 with its sign.
    """
    main, pairs = "", 0
    if line is not None:
        main, pairs = "1" * (line // 2) + "010", line // 2 + 1
    fields = (
        (0, 9),  # its data begins here; private
        (len(main), 12),
        (pairs, 9),
        (MP3_GAIN, 8),
        (0, 9 + 1),  # no scale factors; an ordinary window
        *((1, 5),) * 3,  # the table of each region
        (0, 4 + 3 + 1 + 1),  # where regions end; two flags
    )
    bits = "".join(f"{value:0{width}b}" for value, width in fields) + main
    made = MP3_HEADER + int(bits.ljust(8 * -(-len(bits) // 8), "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    return made.ljust(MP3_BYTES, b"\x00")
