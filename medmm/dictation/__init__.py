"""Dictation: a reader's recording becomes a transcript, by a server of the site."""

from medmm.dictation.recording import Recording
from medmm.dictation.transcription import Posts, transcribe

__all__ = ["Posts", "Recording", "transcribe"]
