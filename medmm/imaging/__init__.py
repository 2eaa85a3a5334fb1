"""Images in: paths to `Study` with its geometry, or to the reason why not."""

from medmm.imaging.dicom.pixels import decodable_syntaxes
from medmm.imaging.frames import keep_at_most
from medmm.imaging.gate.picture_kind import PictureKinds
from medmm.imaging.gate.rules import SOP_CLASSES
from medmm.imaging.inspection import inspection, look_at, one_study
from medmm.imaging.intake import Intake, attach_pixels
from medmm.imaging.nifti.task_folder import read_arrays
from medmm.imaging.outcome import judged, read_studies
from medmm.imaging.source_headers import source_headers
from medmm.imaging.study_files import NOTHING_HERE, Problem, SourceFile, StudyFiles, places

__all__ = [
    "NOTHING_HERE",
    "SOP_CLASSES",
    "Intake",
    "PictureKinds",
    "Problem",
    "SourceFile",
    "StudyFiles",
    "attach_pixels",
    "decodable_syntaxes",
    "inspection",
    "judged",
    "keep_at_most",
    "look_at",
    "one_study",
    "places",
    "read_arrays",
    "read_studies",
    "source_headers",
]
