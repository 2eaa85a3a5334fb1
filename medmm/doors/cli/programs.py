"""`medmm demo`, `medmm ui` and `medmm batch`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medmm.domain.errors import ConfigError
from medmm.doors.bundled_programs import programs_dir, run
from medmm.doors.session import out, session

if TYPE_CHECKING:
    from medmm.config import Settings


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("demo")(demo)
    app.command("ui")(ui)
    app.command("batch")(batch)


def demo(
    folder: Annotated[
        Path, typer.Option("--out", help="Where the demo keeps its data and pages.")
    ] = Path("out/demo"),
) -> None:
    """Draft a real chest film with a record written for it, and refuse a limb.

    The draft is checked, and the log verified at the end.
    """
    from medmm.doors import demo as demo_

    demo_.run(folder, out())


def ui(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8501,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Open the dashboard on this machine (loopback only)."""
    refuse_lacking_sign_in(session(context).settings())
    server = programs_dir() / "ui" / "server.py"
    flags = streamlit_flags(port, browser=browser)
    raise typer.Exit(run(["-m", "streamlit", "run", str(server), *flags], session(context).config))


# Dark, since images stand on black: text on either ground has a contrast of 10 to 1 or more, and
# nothing beside an image is pure white.
DARK = {
    "base": "dark",
    "primaryColor": "#4fb3c8",
    "backgroundColor": "#0f1214",
    "secondaryBackgroundColor": "#1a1f23",
    "textColor": "#d9dfe3",
    "borderColor": "#3a434a",
}


def refuse_lacking_sign_in(settings: Settings) -> None:
    """Refuse to start where people are to sign in and can't.

    Raises: ConfigError if the package for it or the client secret is missing.
    """
    if not settings.sign_in.configured:
        return
    if importlib.util.find_spec("authlib") is None:
        raise ConfigError(
            "signing in needs Authlib, which is not installed",
            remedy="pip install 'medmm[sso]', or take sign_in out of the settings",
        )
    settings.sign_in.secret()


def streamlit_flags(port: int, *, browser: bool) -> list[str]:
    """List the flags of `streamlit run`: flags come before its environment and its files."""
    options = {
        "server.address": "localhost",
        "server.port": str(port),
        "server.headless": "false" if browser else "true",
        "server.enableAgentApi": "false",
        "server.enableStaticServing": "false",
        "server.enableXsrfProtection": "true",
        "server.trustedUserHeaders": "{}",  # nobody is who a header says
        "server.fileWatcherType": "none",
        "server.maxUploadSize": "32",  # MB, held in memory: recordings alone come that way
        "browser.gatherUsageStats": "false",
        # Else every run ends with a collection of the whole process, which holds its own words back
        "runner.postScriptGC": "false",
        # words that a reader typed before signing in again stand where a draft's stood
        "global.disableWidgetStateDuplicationWarning": "true",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",  # no traceback, which may carry values, on the page
        **{f"theme.{name}": value for name, value in DARK.items()},
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [*flags, *(f"--server.allowedHosts={name}" for name in ("localhost", "127.0.0.1"))]


def batch(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder with studies, at any depth or in a heap.")],
    to: Annotated[Path, typer.Option("--out", help="Where results.jsonl is kept.")],
    records: Annotated[
        Path | None,
        typer.Option(help="Folder of FHIR Bundles: found by Study UID, name, or patient ID."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line a study on stdout, nothing else.")
    ] = False,
) -> None:
    """Draft every study of a folder, found by its UID; what is done is skipped.

    Each study gets one line.

    Done is what has the same images, record, settings and models; what has changed is done again.
    """
    arguments = [
        "-m",
        "pipelines.batch",
        str(folder),
        "--out",
        str(to),
        *(["--json"] if as_json else []),
    ]
    if records is not None:
        arguments += ["--records", str(records)]
    who = session(context)
    if who.by is not None:
        arguments += ["--by", who.by]
    raise typer.Exit(run(arguments, who.config))
