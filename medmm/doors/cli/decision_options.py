"""Options by which commands take decisions on statements."""

from __future__ import annotations

from typing import Annotated

import typer

Accepted = Annotated[list[str] | None, typer.Option(help="Accept this statement (repeat).")]
Edited = Annotated[list[str] | None, typer.Option(help="Edit a statement: ID=new text (repeat).")]
Added = Annotated[
    list[str] | None, typer.Option(help="Add a finding in free text, without a code (repeat).")
]
