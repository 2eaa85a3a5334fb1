"""What is: domain values on disk, in one unit of work with the audit entry."""

from medmm.store.integrity import digest
from medmm.store.leases import ADMISSION, DRAFT, Work
from medmm.store.step import Step
from medmm.store.store import Store

__all__ = ["ADMISSION", "DRAFT", "Step", "Store", "Work", "digest"]
