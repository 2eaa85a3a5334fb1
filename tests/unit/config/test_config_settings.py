"""One validated configuration: strict about names, the environment wins, values stay out of messages."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from medmm.config import Settings, configs_dir, load_settings
from medmm.domain.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEDMM_CONFIG", raising=False)


def written(folder: Path, text: str) -> Path:
    file = folder / "settings.yaml"
    file.write_text(text)
    return file


def test_the_file_that_ships_is_valid_and_names_a_reader() -> None:
    settings = load_settings(configs_dir() / "local.yaml")
    assert [entry.id for entry in settings.readers] == ["reader-1"]


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().device = "cuda"


@pytest.mark.parametrize(
    ("text", "line", "nearest"),
    [
        ("device: cpu\nreaderz: []\n", "line 2", "'readers'"),
        ("data-dir: x\n", "line 1", "'data_dir'"),
        ("readers:\n  - id: a\n    name: b\n    rolle: reader\n", "line 4", "'role'"),
    ],
)
def test_an_unknown_key_is_refused_with_file_line_and_nearest_key(
    tmp_path: Path, text: str, line: str, nearest: str
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    for part in (str(file), line, nearest):
        assert part in str(caught.value)


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDMM_DATA_DIR", str(tmp_path / "there"))
    monkeypatch.setenv("MEDMM_THREADS", "3")
    settings = load_settings(written(tmp_path, "data_dir: here\nthreads: 1\n"))
    assert (settings.data_dir, settings.threads) == (tmp_path / "there", 3)


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDMM_DEVISE", "cpu")
    with pytest.raises(ConfigError, match="devise"):
        load_settings()


@pytest.mark.parametrize(
    "text", ["device: tpu-secret\n", "threads: 0\n", "readers: [{id: a, name: b, role: king}]\n"]
)
def test_a_wrong_value_names_the_key_and_not_the_value(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(written(tmp_path, text))
    assert "tpu-secret" not in str(caught.value)
    assert text.split(":")[0] in str(caught.value)


def test_two_readers_may_not_share_an_id(tmp_path: Path) -> None:
    entry = "{id: a, name: b, role: reader}"
    with pytest.raises(ConfigError, match="share an id"):
        load_settings(written(tmp_path, f"readers: [{entry}, {entry}]\n"))


@pytest.mark.parametrize("text", ["[1, 2]\n", "a: [\n", "\x00"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        load_settings(written(tmp_path, text))


def test_a_missing_file_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MEDMM_CONFIG"):
        load_settings(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("data_dir: x\ndevice: tpu\n", "line 2"),
        ("\nthreads:\n  0\n", "line 2"),
        ("readers:\n  - id: a\n    name: b\n    role: king\n", "line 4"),
        ("readers:\n  - {id: a, role: reader}\n", "line 2"),
        (
            "readers:\n  - {id: a, name: b, role: reader}\n  - {id: a, name: c, role: reader}\n",
            "line 1",
        ),
    ],
)
def test_a_wrong_value_of_the_file_names_its_line(tmp_path: Path, text: str, line: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert caught.value.where == {"file": f"{file}, {line}"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEDMM_DEVICE", "tpu"),
        ("MEDMM_THREADS", "0"),
        ("MEDMM_READERS", "[{}]"),
        ("MEDMM_READERS", "king"),
    ],
)
def test_a_wrong_value_of_the_environment_names_its_variable_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings(written(tmp_path, "device: cpu\nthreads: 1\n"))
    assert caught.value.where == {"variable": name}
    assert name.removeprefix("MEDMM_").lower() in caught.value.problem
    assert "king" not in str(caught.value)


def test_wrong_values_of_both_are_each_told_where_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDMM_DEVICE", "tpu")
    file = written(tmp_path, "threads: 0\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert caught.value.where == {"variable": "MEDMM_DEVICE", "file": f"{file}, line 1"}


def test_every_fault_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(
        "devise: cpu\nthreads: many\nwriter: poet\nreaders:\n- {id: a, name: A, role: king, rank: 1}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("MEDMM_THREDS", "2")
    with pytest.raises(ConfigError) as error:
        load_settings(file)
    said = str(error.value)
    for word in (
        "devise",
        "readers.rank",
        "THREDS".lower(),
        "threads",
        "writer",
        "readers.0.role",
        "line 1",
        "line 2",
        "line 3",
    ):
        assert word in said, word
    assert "many" not in said
    assert "poet" not in said


SYSTEM = "https://hospital.example/mrn"


def test_identifier_systems_come_from_the_file_and_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, f"identifiers:\n  mrn: {SYSTEM}\n  mrn_issuers: [HOSPITAL]\n")
    monkeypatch.setenv("MEDMM_IDENTIFIERS__ACCESSION", "urn:oid:1.2.3")
    systems = load_settings(file).identifiers.systems()
    assert (systems.mrn, systems.mrn_issuers, systems.accession) == (
        SYSTEM,
        ("HOSPITAL",),
        "urn:oid:1.2.3",
    )
    assert Settings().identifiers.systems().mrn is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("identifiers:\n  acession: x\n", "'accession'"),
        ("identifiers:\n  mrn: 1.2.840.1\n", "urn:oid:1.2.840.1"),
        ("identifiers:\n  mrn: HOSPITAL\n", "absolute URI"),
        ("identifiers:\n  accession: 'https://hospital.example/two words'\n", "absolute URI"),
        ("identifiers: [a]\n", "identifiers"),
    ],
)
def test_a_wrong_identifier_system_is_refused_with_its_place(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings(written(tmp_path, text))
    assert said in str(refused.value) + refused.value.remedy
    assert "line" in str(refused.value.where)


def test_a_wrong_variable_of_an_identifier_system_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDMM_IDENTIFIERS__MNR", SYSTEM)
    with pytest.raises(ConfigError, match="identifiers"):
        load_settings(configs_dir() / "local.yaml")


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf", "never"])
def test_replay_days_are_a_time_that_passes(days: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDMM_REPLAY_DAYS", days)
    with pytest.raises(ConfigError, match="replay_days"):
        load_settings(configs_dir() / "local.yaml")


def test_how_long_keys_are_good_decides_nothing_of_a_draft() -> None:
    assert Settings().replay_days == 7
    assert Settings(replay_days=1).of_a_draft() == Settings().of_a_draft()


PASSWORD = "geheim-4711"
DATABASE = f"postgresql+psycopg://medmm:{PASSWORD}@db.example:5433/medmm?sslmode=verify-full"


def test_the_database_is_a_file_unless_a_url_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings(configs_dir() / "local.yaml").store.url is None
    stated = load_settings(written(tmp_path, "store:\n  url: postgresql://medmm@db/medmm\n"))
    assert stated.store.place() == "postgresql://medmm@db/medmm"
    monkeypatch.setenv("MEDMM_STORE__URL", DATABASE)
    store = load_settings(configs_dir() / "local.yaml").store
    assert store.url is not None
    assert store.url.get_secret_value() == DATABASE
    assert store.place() == "postgresql+psycopg://medmm@db.example:5433/medmm"


def test_the_password_of_a_database_is_in_nothing_that_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEDMM_STORE__URL", DATABASE)
    made = load_settings(configs_dir() / "local.yaml")
    for shown in (repr(made), str(made), made.model_dump_json(), repr(made.model_dump())):
        assert PASSWORD not in shown
    assert "medmm@db.example:5433/medmm" in made.model_dump_json()
    assert "store" not in made.of_a_draft()


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://medmm:{PASSWORD}@db/medmm",
        f"postgresql+psycopg://medmm:{PASSWORD}@db",
        f"postgresql+psycopg://medmm:{PASSWORD}@x@db/medmm",
        f"postgresql+asyncpg://medmm:{PASSWORD}@db/medmm",
        PASSWORD,
    ],
)
def test_another_url_is_refused_with_its_place_and_never_told(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"store\.url.*PostgreSQL") as refused:
        load_settings(written(tmp_path, f"store:\n  url: '{url}'\n"))
    assert "line" in str(refused.value.where)
    assert PASSWORD not in str(refused.value)
    monkeypatch.setenv("MEDMM_STORE__URL", url)
    with pytest.raises(ConfigError, match=r"store\.url.*PostgreSQL") as refused:
        load_settings(configs_dir() / "local.yaml")
    assert refused.value.where == {"variable": "MEDMM_STORE__URL"}
    with pytest.raises(ValidationError) as raw:
        Settings(store={"url": url})
    assert PASSWORD not in str(raw.value)


def test_an_unknown_key_of_the_store_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'store\.uri'.*did you mean 'url'"):
        load_settings(written(tmp_path, "store:\n  uri: x\n"))
