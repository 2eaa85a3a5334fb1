"""How a resource deviates from strict FHIR R4, said beside facts read tolerantly.

fhir.resources has no R4 (4.0.1); its R4B classes accept the R4 of every resource type that is read
here.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

MOST_NAMED = 4
ELEMENT = re.compile(r"[A-Za-z][A-Za-z0-9]{0,40}")
# Own key, and resources of types that the classes may not know.
NOT_CHECKED = ("_fullUrl", "contained")


def deviations(resource: dict[str, Any]) -> str | None:
    """Say why a resource is not strict R4, by names of elements and never their values.

    Returns: None if it is.
    """
    from fhir.resources.R4B import get_fhir_model_class

    model = get_fhir_model_class(resource["resourceType"])
    try:
        model.model_validate(
            {name: value for name, value in resource.items() if name not in NOT_CHECKED}
        )
    except ValidationError as error:
        places = dict.fromkeys(
            _place(e["loc"]) for e in error.errors(include_url=False, include_input=False)
        )
        named = ", ".join(list(places)[:MOST_NAMED])
        return f"read tolerantly: not strict R4 at {named}" + (
            " and elsewhere" if len(places) > MOST_NAMED else ""
        )
    except RecursionError:
        return "read tolerantly: nested too deeply to be checked"
    except (TypeError, AttributeError, ValueError, KeyError):
        # Its own validators meet shapes they don't expect
        return "read tolerantly: not of the shape of R4"
    return None


def _place(location: tuple[int | str, ...]) -> str:
    names = [str(part) for part in location if not isinstance(part, int)]
    if not names:
        return "the resource as a whole"
    return ".".join(names) if all(ELEMENT.fullmatch(n) for n in names) else "an unknown element"
