"""Drafting: case and reading become a draft of statements that carry their evidence."""

from medmm.drafting.promises import with_promises
from medmm.drafting.record_influence import influence
from medmm.drafting.versions import following
from medmm.drafting.writers.instructions import addressing_facts
from medmm.drafting.writers.language_model import LanguageModel, LanguageWriter
from medmm.drafting.writers.model_server import ServerModel
from medmm.drafting.writers.outside import OutsideWriter, ProposingModel, not_ready
from medmm.drafting.writers.protocol import Growing, Writer
from medmm.drafting.writers.rules import RuleWriter
from medmm.drafting.writers.server_connection import Connection
from medmm.drafting.writers.server_probe import probe
from medmm.drafting.writers.table import WRITERS, Asks, Speakers, name_of

__all__ = [
    "WRITERS",
    "Asks",
    "Connection",
    "Growing",
    "LanguageModel",
    "LanguageWriter",
    "OutsideWriter",
    "ProposingModel",
    "RuleWriter",
    "ServerModel",
    "Speakers",
    "Writer",
    "addressing_facts",
    "following",
    "influence",
    "name_of",
    "not_ready",
    "probe",
    "with_promises",
]
