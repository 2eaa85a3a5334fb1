"""A data folder with one drafted case of a real film, whose record carries a script and links."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from medmm import Assistant
from medmm.config import Settings
from medmm.domain.report import CaseFile, CaseSummary
from medmm.domain.study import Study

SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
LINKS = "http://evil.example/a www.evil.example me@evil.example [x](javascript:x) **b** $x^2$ :streamlit:"


def drafted_data(folder: Path, film: Path) -> Path:
    """Admit and draft. Returns: the folder that holds the data and its heads, which can be copied."""
    record = folder / "record.json"
    text = files("medmm.doors").joinpath("demo_record.json").read_text(encoding="utf-8")
    text = text.replace("Cough for three weeks", SCRIPT.replace('"', '\\"'))
    record.write_text(text.replace('"Hypertension"', f'"Hypertension {LINKS}"'))
    with Assistant(Settings(data_dir=folder / "data", threads=1)) as assistant:
        study = assistant.admit(film, record=record)
        assert isinstance(study, Study)
        assistant.draft(assistant.open_case(study.uid).id)
    record.unlink()
    return folder


def the_case(config: Path) -> CaseSummary:
    """The first case of a data folder, as it stands there now."""
    with Assistant.from_config(config) as assistant:
        return assistant.cases()[0]


def the_file(config: Path) -> CaseFile:
    """All that is kept of the first case."""
    with Assistant.from_config(config) as assistant:
        return assistant.case(assistant.cases()[0].case_id)
