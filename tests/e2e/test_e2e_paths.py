"""What comes from outside never names a file: UIDs, names, ids, URLs, keys and report ids that try to be paths."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pydicom
import pytest
import yaml
from pydicom.config import disable_value_validation
from pydicom.uid import ExplicitVRLittleEndian
from typer.testing import CliRunner

from medmm import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.delivery import Outgoing, write_report
from medmm.domain.errors import InputError, MedmmError, Unavailable
from medmm.domain.report import Accept, Edit, Reader
from medmm.domain.study import NotEvaluable, Study
from medmm.doors import cli
from tests.factories import make_signed_report
from tests.kept import kept

ESCAPES = {
    "up": "../../ZZout",
    "up, Windows": "..\\..\\ZZout",
    "absolute": "/tmp/ZZout",
    "absolute, Windows": "C:\\ZZout",
    "nul": "ZZ\0out",
    "long": "Z" * 300,
    "device": "CON",
    "parent": "..",
    "line": "ZZ\nout",
    "url": "file:///tmp/ZZout",
}
READERS = (ReaderEntry(id="reader-1", name="ZZREADER One", role="reader"),)
HEX_NAME = re.compile(r"objects/[0-9a-f]{64}")


class House:
    """A folder with a place for everything, deep enough that a step or two upwards is seen."""

    def __init__(self, top: Path) -> None:
        self.top, self.root = top, top / "a" / "b" / "c"
        self.data, self.out, self.cwd, self.given = (
            self.root / n for n in ("data", "out", "cwd", "given")
        )
        for folder in (self.cwd, self.given):
            folder.mkdir(parents=True)
        self.settings = Settings(data_dir=self.data, readers=READERS, threads=1)

    def written(self) -> set[str]:
        """Every file below the top that the test did not give."""
        found = {path for path in self.top.rglob("*") if not path.is_dir()}
        return {str(p.relative_to(self.root)) for p in found if not p.is_relative_to(self.given)}

    def held(self) -> None:
        """Everything lies where it should, under a name that nothing from outside made."""
        for name in self.written():
            assert name.startswith(("data/", "data.heads", "out/")), (
                name
            )  # the heads of the log lie beside the store
            assert "ZZ" not in name
            assert "CON" not in name
            if name.startswith("data/objects/"):
                assert HEX_NAME.fullmatch(name.removeprefix("data/")), name
        assert not Path("/tmp/ZZout").exists()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    made = House(tmp_path)
    monkeypatch.chdir(made.cwd)
    return made


@pytest.fixture
def small_film(demo_films: Path) -> pydicom.Dataset:
    """A real chest film, every sixth pixel of it."""
    film = pydicom.dcmread(demo_films / "RG1_UNCR.dcm")
    pixels = film.pixel_array[::6, ::6]
    film.Rows, film.Columns = pixels.shape
    film.PixelData = pixels.tobytes()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return film


def saved(film: pydicom.Dataset, path: Path, **changes: str) -> Path:
    with disable_value_validation():
        for keyword, value in changes.items():
            setattr(film, keyword, value)
        film.save_as(path, enforce_file_format=False)
    return path


def record(path: Path, text: str) -> Path:
    """The demo's record with a text as the patient's number, as URL of every entry, and in a name."""
    bundle: dict[str, Any] = json.loads(
        files("medmm.doors").joinpath("demo_record.json").read_bytes()
    )
    for entry in bundle["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "Patient":
            resource["identifier"] = [{"value": text}]
            own = f"Patient/{resource['id']}"
        elif isinstance(entry.get("fullUrl"), str):
            entry["fullUrl"] = text
    assert own
    path.write_text(json.dumps(bundle))
    return path


def decide_all(assistant: Assistant, case_id: str, reader: Reader) -> None:
    draft = assistant.case(case_id).draft
    assert draft is not None
    words = "The reader's own words."
    assistant.decide(
        case_id,
        [Edit(s.id, words) if draft.failed(s.id) else Accept(s.id) for s in draft.statements],
        by=reader,
    )


def test_the_whole_way_with_paths_for_names_stays_in_its_folders(
    house: House, small_film: pydicom.Dataset
) -> None:
    with Assistant(house.settings) as assistant:
        reader = assistant.reader_named("reader-1")
        for number, (name, text) in enumerate(ESCAPES.items()):
            path = saved(
                small_film,
                house.given / f"{number}.dcm",
                StudyInstanceUID=f"1.2.3.{number}",
                SOPInstanceUID=f"1.2.4.{number}",
                PatientID=text,
                PatientName=f"{text}^{text}",
                AccessionNumber=text,
                StudyID=text,
                InstitutionName=text,
            )
            study = assistant.admit(path, key=f"{text}admit")
            assert isinstance(study, Study), name
            case = assistant.open_case(study.uid, key=f"{text}open_case")
            if number == 0:  # the rest differs in nothing that is written
                assistant.draft(case.id, key=f"{text}draft")
                decide_all(assistant, case.id, reader)
                report = assistant.sign(case.id, by=reader, key=f"{text}sign")
                written = assistant.publish(report.id, to=house.out, key=f"{text}publish")
                assert all(p.parent == house.out for p in written)
                for escape in ESCAPES.values():
                    with pytest.raises(InputError):
                        assistant.publish(escape, to=house.out / "again")
        assert assistant.verify().ok
    house.held()


def test_records_with_paths_for_ids_and_urls_stay_in_their_folder(
    house: House, small_film: pydicom.Dataset
) -> None:
    with Assistant(house.settings) as assistant:
        for number, (name, text) in enumerate(ESCAPES.items()):
            given = record(house.given / f"{number}.json", text)
            assert assistant.record(given).facts, name
            bundle = json.loads(given.read_text())
            bundle["entry"][1]["resource"]["id"] = text
            given.write_text(json.dumps(bundle))
            if re.fullmatch(r"[A-Za-z0-9.-]{1,64}", text):
                assert assistant.record(given).facts, name
            else:
                with pytest.raises(InputError, match="id"):
                    assistant.record(given)
    house.held()


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_uids_that_are_paths_are_refused_or_held(
    house: House, small_film: pydicom.Dataset, keyword: str
) -> None:
    with Assistant(house.settings) as assistant:
        for number, (name, text) in enumerate(ESCAPES.items()):
            path = saved(small_film, house.given / f"{number}.dcm", **{keyword: text})
            try:
                outcome = assistant.admit(path)
            except InputError:
                continue
            assert isinstance(outcome, NotEvaluable), name
            assert outcome.held, name
    house.held()


@pytest.fixture
def released(house: House, small_film: pydicom.Dataset) -> list[Path]:
    """Films of impossible UIDs that a person let pass all the same."""
    paths = []
    with Assistant(house.settings) as assistant:
        reader = assistant.reader_named("reader-1")
        for name in ("long", "device"):
            path = saved(small_film, house.given / f"{name}.dcm", StudyInstanceUID=ESCAPES[name])
            assistant.release(path, reason="a proof of paths", by=reader)
            paths.append(path)
    return paths


def test_masks_and_pages_of_released_films_lie_where_they_were_asked_for(
    house: House, released: list[Path]
) -> None:
    config = house.given / "settings.yaml"
    readers = [{"id": "reader-1", "name": "ZZREADER One", "role": "reader"}]
    config.write_text(
        yaml.safe_dump({"data_dir": str(house.data), "threads": 1, "readers": readers})
    )
    for path in released:
        words = ["--config", config, "read", path, "--masks", house.out / "masks", "--json"]
        done = CliRunner().invoke(cli.app, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        written = json.loads(done.stdout)["masks"]
        assert written
        for mask in written.values():
            assert re.fullmatch(r"[0-9a-f]{16}-[a-z-]+\.png", Path(mask).name)
            assert Path(mask).parent == house.out / "masks"
    page = house.out / "page.html"
    words = ["--config", config, "draft", released[-1], "--html", page]
    assert CliRunner().invoke(cli.app, [str(word) for word in words]).exit_code == 0
    assert page.is_file()
    house.held()


def test_a_report_of_any_id_is_written_into_its_folder(house: House) -> None:
    for name, text in ESCAPES.items():
        try:
            out = Outgoing(report=make_signed_report(id=text), identity=None)
            written = write_report(out, house.out)
        except Unavailable:
            assert (
                name == "long"
            )  # longer than the file system takes; nothing is cut, so nothing collides
            continue
        assert all(path.parent == house.out and path.is_file() for path in written), name
    for name in house.written():
        assert name.startswith("out/"), name


def test_objects_are_asked_for_by_digest_alone(house: House) -> None:
    with Assistant(house.settings) as assistant:
        for text in ESCAPES.values():
            with pytest.raises(MedmmError):
                kept(assistant).object_path(text)
