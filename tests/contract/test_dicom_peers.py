"""DICOM objects of reports before programs of others: validators find no error, readers see the same voxels and numbers.

Each skips where its program is not installed: dciodvfy and dcmqi come from PyPI (extra `dev`), dsrdump and dcmdump with Debian's
dcmtk, PixelMed's validator with pixelmed-apps and a Java runtime.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medmm.delivery.dicom.objects import dicom_objects
from tests.signed_studies import KINDS, Signed, signed

pytestmark = pytest.mark.peers
PIXELMED = Path("/usr/share/java/pixelmed.jar")
# Java 17 limits XPath to less than the rules of the validator need (JAXP0801003)
UNLIMITED = [f"-Djdk.xml.xpath{name}Limit=0" for name in ("TotalOp", "ExprOp", "ExprGrp")]
VERSIONS: dict[str, Callable[[Signed], Signed]] = {
    "original": lambda one: one,
    "amended": lambda one: one.amended(),
    "withdrawn": lambda one: one.amended().withdrawn(),
}
RAN: dict[str, int] = {}


@pytest.fixture(scope="module")
def folder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Every object of every report in each of its versions; label maps in both forms."""
    folder = tmp_path_factory.mktemp("objects")
    for kind in KINDS:
        for name, version in VERSIONS.items():
            one = version(signed(kind))
            for made in dicom_objects(one.report, one.versions, one.source):
                (folder / f"{kind}-{name}.{made.name}.dcm").write_bytes(made.content)
        labels = signed(kind, label_maps=True)
        for made in dicom_objects(labels.report, labels.versions, labels.source, ["seg"]):
            (folder / f"{kind}-labels.{made.name}.dcm").write_bytes(made.content)
    yield folder
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        judged = ", ".join(f"{peer} {count}" for peer, count in RAN.items())
        sys.stderr.write(f"\nfiles that programs of others judged: {judged or 'none'}\n")


def ran(peer: str, *words: str | Path) -> str:
    """What a program says of a file; the test skips where it is not installed."""
    beside = Path(sys.executable).parent / peer
    found = str(beside) if beside.exists() else shutil.which(peer)
    if found is None:
        pytest.skip(f"{peer} is not installed")
    RAN[peer] = RAN.get(peer, 0) + 1
    done = subprocess.run(
        [found, *map(str, words)], capture_output=True, text=True, errors="replace", timeout=120
    )
    return f"{done.stdout}{done.stderr}\nexit {done.returncode}"


@pytest.mark.parametrize("kind", KINDS)
def test_dciodvfy_finds_no_error(folder: Path, kind: str) -> None:
    files = sorted(folder.glob(f"{kind}-*.dcm"))
    assert len(files) >= 10
    for file in files:
        said = ran("dciodvfy", file)
        assert "Error" not in said, (file.name, said)
        warnings = {line for line in said.splitlines() if line.startswith("Warning")}
        assert all(any(known in w for known in ARGUED) for w in warnings), (file.name, warnings)


ARGUED = (  # in docs/conformance.md
    "Device UID",
    "attributes not present in standard DICOM IOD",
    "Unrecognized defined term <99MEDMM>",
)


@pytest.mark.parametrize("kind", KINDS)
def test_dcmtk_reads_every_object(folder: Path, kind: str) -> None:
    for file in sorted(folder.glob(f"{kind}-*.dcm")):
        assert ran("dcmdump", "-q", file).endswith("exit 0"), file.name
    for file in sorted(folder.glob(f"{kind}-*.sr.dcm")):
        said = ran("dsrdump", "-q", file)
        assert said.endswith("exit 0")
        assert "Imaging Measurement Report" in said


@pytest.mark.parametrize("name", ["original", "amended"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_template_is_what_pixelmed_expects_of_tid_1500(
    folder: Path, kind: str, name: str
) -> None:
    """Its exit code says nothing: only the end of the check and the absence of errors do."""
    if not PIXELMED.exists():
        pytest.skip("PixelMed's DicomSRValidator is not installed (Debian: pixelmed-apps)")
    validator = "com.pixelmed.validate.DicomSRValidator"
    said = ran("java", *UNLIMITED, "-cp", PIXELMED, validator, folder / f"{kind}-{name}.sr.dcm")
    assert "Found Root Template TID_1500" in said
    assert "Root Template Validation Complete" in said
    assert "Error" not in said, said


@pytest.mark.parametrize("kind", KINDS)
def test_dcmqi_reads_the_measurements(folder: Path, kind: str, tmp_path: Path) -> None:
    out = tmp_path / "read.json"
    file = folder / f"{kind}-original.sr.dcm"
    assert ran("tid1500reader", "--inputDICOM", file, "--outputMetadata", out).endswith("exit 0")
    groups = json.loads(out.read_text())["Measurements"]
    numbers = [
        float(item["value"]) for group in groups for item in group.get("measurementItems", [])
    ]
    stated = [
        e.value
        for s in signed(kind).report.statements
        for e in s.evidence
        if type(e).__name__ == "MeasurementEvidence"
    ]
    assert sorted(numbers) == pytest.approx(sorted(stated), rel=1e-5)
    if kind != "chest":
        assert all(group["segmentationSOPInstanceUID"] for group in groups)


@pytest.mark.parametrize("kind", ["brain", "hippocampus", "heart"])
def test_another_reader_finds_the_same_voxels_at_the_same_place(
    folder: Path, kind: str, tmp_path: Path
) -> None:
    """The labels go into a segmentation, through dcmqi to NIfTI, and into SimpleITK."""
    itk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    one = signed(kind)
    assert one.source.reading is not None
    label_map = one.source.reading.label_maps[0]
    volume = one.source.study.volume(label_map.volume_sha256)
    assert volume is not None
    assert volume.affine_lps_mm is not None
    said = ran(
        "segimage2itkimage", "--inputDICOM", folder / f"{kind}-original.seg-1.dcm",
        "--outputDirectory", tmp_path, "--prefix", "read", "-t", "nii",
    )  # fmt: skip
    assert said.endswith("exit 0")
    labels = label_map.array()
    for n in range(1, len(label_map.labels) + 1):
        image = itk.ReadImage(str(tmp_path / f"read-{n}.nii.gz"))
        read = itk.GetArrayFromImage(image)
        where = np.argwhere(read > 0)[:, ::-1]
        places = {
            tuple(np.round(image.TransformIndexToPhysicalPoint([int(i) for i in xyz]), 3))
            for xyz in where
        }
        affine = np.array(volume.affine_lps_mm)
        voxels = np.argwhere(labels == n)[:, ::-1]
        expected = voxels @ affine[:3, :3].T + affine[:3, 3]
        assert places == {tuple(np.round(xyz, 3)) for xyz in expected}
        assert volume.spacing_yx_mm is not None
        spacing_xyz_mm = (*volume.spacing_yx_mm[::-1], volume.spacing_z_mm)
        np.testing.assert_allclose(image.GetSpacing(), spacing_xyz_mm)


def test_simpleitk_reads_the_frames_in_their_stored_order(folder: Path) -> None:
    """It says nothing of where they lie: the images that the frames name do."""
    itk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    one, file = signed("brain"), folder / "brain-original.seg-1.dcm"
    assert one.source.reading is not None
    (label_map,) = one.source.reading.label_maps
    volume = one.source.study.volume(label_map.volume_sha256)
    assert volume is not None
    stored = [
        volume.sop_uids.index(
            frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        )
        for frame in pydicom.dcmread(file).PerFrameFunctionalGroupsSequence
    ]
    read = itk.GetArrayFromImage(itk.ReadImage(str(file)))
    np.testing.assert_array_equal(read > 0, label_map.array()[stored] > 0)
