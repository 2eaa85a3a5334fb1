"""A recording is a WAV file of plain samples within limits, and nothing else of it goes on."""

from __future__ import annotations

import io
import struct
import wave
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.dictation import Recording
from medmm.domain.errors import InputError
from tests.speech_server import tone


def with_a_chunk(wav: bytes, name: bytes, content: bytes) -> bytes:
    chunk = name + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(wav) - 8 + len(chunk)) + wav[8:] + chunk


def test_samples_are_kept_and_what_else_stands_in_the_file_is_not() -> None:
    plain = tone(0.5)
    found = Recording.of(with_a_chunk(plain, b"LIST", b"INFOIART\x0a\x00\x00\x00ZZNAME One"), 60)
    assert found.seconds == 0.5
    assert b"ZZNAME" not in found.wav
    with wave.open(io.BytesIO(found.wav)) as new, wave.open(io.BytesIO(plain)) as old:
        assert new.getparams() == old.getparams()
        assert new.readframes(8000) == old.readframes(8000)
    assert "RIFF" not in repr(found)


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        (b"", "no WAV file"),
        (b"ID3\x04 an MP3", "no WAV file"),
        (tone()[:30], "no WAV file"),
        (tone()[:-100], "cut short"),
        (tone(0), "holds no sound"),
        (tone(1, 4_000), "4000 Hz"),
        (tone(2.5), "longer than 2 s"),
        (b"RIFF" + b"\0" * 2_000_000, "longer than 2 s"),
        (tone().replace(struct.pack("<HH", 1, 1), struct.pack("<HH", 7, 1), 1), "no WAV file"),
    ],
)
def test_what_is_no_recording_is_refused_with_a_remedy(audio: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        Recording.of(audio, 2)
    assert refused.value.remedy


@given(st.binary(max_size=80), st.integers(0, 44))
def test_no_bytes_make_another_error(noise: bytes, at: int) -> None:
    wav = tone(0.01)
    with suppress(InputError):
        found = Recording.of(wav[:at] + noise + wav[at + len(noise) :], 2)
        assert 0 < found.seconds <= 2
