"""Programs that ship beside the library: `ui/` and `pipelines/`.

They lie at the top of a checkout or inside the package.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from medmm.domain.errors import ConfigError


def programs_dir() -> Path:
    """Find the folder that holds `ui/` and `pipelines/`.

    Raises: ConfigError if the installation lacks them.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "shipped", package.parent):
        if (folder / "ui" / "app.py").is_file() and (folder / "pipelines" / "batch.py").is_file():
            return folder
    raise ConfigError(
        "the shipped programs are not there", remedy="install medmm again", folder=str(package)
    )


def run(arguments: list[str], config: Path | None) -> int:
    """Run `python ARGUMENTS` with the programs importable and the settings handed on.

    On POSIX the program takes the place of this process: a signal reaches it, so that no server
    stays behind.

    Returns: its exit code.
    """
    environment = dict(os.environ)
    paths = [str(programs_dir()), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    if config is not None:
        environment["MEDMM_CONFIG"] = str(config.absolute())
    # -P: a folder `pipelines` where the user stands is not ours
    command = [sys.executable, "-P", *arguments]
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(sys.executable, command, environment)
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 130
