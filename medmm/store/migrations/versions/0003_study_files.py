"""The files of each study, so that it can grow.

Studies of earlier releases have the files of their volumes.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table of files and fill it from the studies that are kept."""
    files = op.create_table(
        "study_file",
        sa.Column("study_uid", sa.Text, sa.ForeignKey("study.uid"), primary_key=True),
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("sop_uid", sa.Text),
    )
    for uid, body in op.get_bind().execute(sa.text("SELECT uid, body FROM study")).all():
        op.bulk_insert(
            files, [{"study_uid": uid, "sha256": d, "sop_uid": s} for d, s in _files(body).items()]
        )


def _files(body: str) -> dict[str, str | None]:
    """List the digests of a study's files, each with its SOP Instance UID.

    The UID is None unless each file of a volume is one image.

    A study that can't be read gives none: whoever asks for it is told.
    """
    found: dict[str, str | None] = {}
    try:
        for volume in json.loads(body)["volumes"]:
            digests = volume.get("file_sha256s") or [volume["sha256"]]
            uids = volume.get("sop_uids") or []
            alike = (
                uids
                if len(uids) == len(digests)
                else [uids[0] if len(digests) == 1 and uids else None] * len(digests)
            )
            found.update(zip(digests, alike, strict=True))
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return found
