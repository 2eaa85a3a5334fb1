"""A recording as browsers make it: a WAV file of plain samples, within limits.

Source: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft), WAVE.
"""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass, field
from typing import Self

from medmm.domain.errors import InputError

RATES_HZ = range(8_000, 48_001)
BYTES_A_SECOND = 48_000 * 2 * 4  # the most that a recording of these limits takes
HEADER_BYTES = 65_536
RECORD_AGAIN = "record it again in the browser, or give a WAV file of 8 to 48 kHz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Samples of speech, written anew: nothing else of the file that came goes on.

    Attributes:
        wav: a WAV file of one or two channels.
        seconds: its length.
    """

    wav: bytes = field(repr=False)
    seconds: float

    @classmethod
    def of(cls, audio: bytes, most_seconds: float) -> Self:
        """Read a WAV file.

        Raises: InputError if it is none, is cut short, holds nothing, or is too long.
        """
        if len(audio) > HEADER_BYTES + most_seconds * BYTES_A_SECOND:
            raise _too_long(most_seconds)
        try:
            with wave.open(io.BytesIO(audio), "rb") as file:
                shape = file.getparams()
                samples = file.readframes(shape.nframes)
        # RuntimeError: what `wave` raises of a chunk that is said to be longer than the file
        except (wave.Error, EOFError, OverflowError, RuntimeError) as error:
            raise InputError(
                f"the recording is no WAV file of plain samples: {error or 'it ends too early'}",
                remedy=RECORD_AGAIN,
            ) from error
        width = shape.nchannels * shape.sampwidth
        if shape.framerate not in RATES_HZ or shape.nchannels > 2 or shape.sampwidth > 4:
            raise InputError(
                f"a recording of {shape.nchannels} channels at {shape.framerate} Hz",
                remedy=RECORD_AGAIN,
            )
        if len(samples) != shape.nframes * width:
            raise InputError("the recording is cut short", remedy=RECORD_AGAIN)
        if not samples:
            raise InputError("the recording holds no sound", remedy=RECORD_AGAIN)
        seconds = shape.nframes / shape.framerate
        if seconds > most_seconds:
            raise _too_long(most_seconds)
        return cls(wav=_written(shape, samples), seconds=seconds)


def _written(shape: wave._wave_params, samples: bytes) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(shape.nchannels)
        file.setsampwidth(shape.sampwidth)
        file.setframerate(shape.framerate)
        file.writeframes(samples)
    return out.getvalue()


def _too_long(seconds: float) -> InputError:
    return InputError(
        f"the recording is longer than {seconds:g} s",
        remedy="speak in shorter parts, or raise `seconds` under `dictation`",
    )
