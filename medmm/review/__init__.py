"""Review: decisions on a checked draft become the signed report; nothing else makes one."""

from __future__ import annotations

from medmm.review.amending import addendum, amend, amended, to_amend, withdraw
from medmm.review.decisions import decide, draft_of, passing
from medmm.review.draft_influence import InfluenceTally
from medmm.review.edited_coding import keeps_coding
from medmm.review.first_reads import refuse_contradicting_read
from medmm.review.lifecycle import NEXT, Act, advance, refuse_finished, reopened
from medmm.review.own_words import refuse_miscoded
from medmm.review.reading_statistics import ReadingStatistics, version_words, wanted
from medmm.review.release import refuse_unseen, release
from medmm.review.reviewed_case import reviewed, words_changed
from medmm.review.signing import adjudicated, propose, sign, to_sign
from medmm.review.succession import lacking, refuse_outgrown, succession

__all__ = [
    "NEXT",
    "Act",
    "InfluenceTally",
    "ReadingStatistics",
    "addendum",
    "adjudicated",
    "advance",
    "amend",
    "amended",
    "decide",
    "draft_of",
    "keeps_coding",
    "lacking",
    "passing",
    "propose",
    "refuse_contradicting_read",
    "refuse_finished",
    "refuse_miscoded",
    "refuse_outgrown",
    "refuse_unseen",
    "release",
    "reopened",
    "reviewed",
    "sign",
    "succession",
    "to_amend",
    "to_sign",
    "version_words",
    "wanted",
    "withdraw",
    "words_changed",
]
