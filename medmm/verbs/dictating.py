"""A recording becomes words: a look that leaves seconds, bytes and host in the log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from medmm import dictation, drafting
from medmm.domain.errors import StateError
from medmm.domain.model_server import ModelServer
from medmm.domain.shown import Shown
from medmm.domain.transcript import Transcript
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.outgoing import SEND
from medmm.verbs.verb import look


@look("transcribe", lambda case_id, audio, shown: case_id)
def transcribe(
    house: House, call: VerbCall, case_id: str, audio: bytes, shown: Shown | None
) -> Transcript:
    """Write down a recording; see `Assistant.transcribe`."""
    entry = house.settings.dictation
    server = entry.server()
    house.store.study_of(case_id)
    if shown is not None and shown.case_id != case_id:
        raise StateError(
            "another case was shown while this was said; it was not sent",
            remedy="say it again beside the case that it is about",
            case=case_id,
            differs="case",
        )
    recording = dictation.Recording.of(audio, entry.seconds)
    posts = _Posts(house, call, server, case_id, recording.seconds)
    found = dictation.transcribe(recording, server, posts, entry.response_format)
    call.seen = {"host": server.host, "seconds": f"{found.seconds:.1f}"}
    return found


@dataclass(frozen=True, slots=True)
class _Posts:
    """Sends a recording; its entry is in the log before it leaves, without its words."""

    house: House
    call: VerbCall
    server: ModelServer
    case_id: str
    seconds: float

    def __call__(self, body: bytes, content_type: str) -> Iterable[bytes]:
        def leaving() -> None:
            event = self.call.event(
                "done",
                self.case_id,
                host=self.server.host,
                model=self.server.model,
                bytes=len(body),
                seconds=f"{self.seconds:.1f}",
            )
            with self.house.store.step() as step:
                step.record(replace(event, verb=SEND))

        return drafting.Connection(self.server, leaving).answer(body, content_type)[1]
