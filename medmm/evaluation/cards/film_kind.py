"""The card of film-kind, written from `evaluation.json` alone."""

from __future__ import annotations

from medmm.evaluation.cards.tables import Json, figure, table
from medmm.evaluation.cards.terms import KIND_TERMS

# Of what is not a frontal chest film, at most; shown where the interval's upper limit is no more
MOST_PASSED = 0.01


def silent_tables(found: Json) -> str:
    """Write in Markdown what passes without a tag for body part or view.

    It also says what becomes of collimated films.
    """
    silent, collimated = found["silent"], found["collimated"]

    def judged(row: Json) -> str:
        if row["passed"]["high"] <= MOST_PASSED:
            return "yes"
        return "no: too few pictures" if row["passed"]["count"] == 0 else "no"

    others = [
        [
            name,
            *(str(row[word]) for word in ("accepted", "held", "refused")),
            figure(row["passed"]),
            judged(row),
        ]
        for name, row in silent["rows"].items()
        if not row["frontal"]
    ]
    films = [
        [name, *(str(row[word]) for word in ("accepted", "held", "refused")), figure(row["right"])]
        for rows in (silent["rows"], collimated["rows"])
        for name, row in rows.items()
        if row["frontal"]
    ]
    counts = ["accepted", "held", "refused"]
    return (
        (
            "Pictures whose tags name neither body part nor view; small ones were enlarged, so "
            "that size decides nothing. Windows of NIH films stand in for radiographs of other "
            "body parts, of which the shared data hold five.\n\n- of all that is no frontal chest "
            f"film, accepted: {figure(silent['not_frontal_passed'])}\n- of these, of the windows "
            f"alone: {figure(silent['windows_passed'])}\n- of mirrored frontal films, which look "
            f"alike, accepted (no side is named of them): {figure(silent['mirrored_passed'])}\n- "
            f"frontal films of adults accepted: {figure(silent['frontal_adults_accepted'])}\n- "
            "films that their tags call chest films, collimated to 50 to 60 % of their width, "
            f"accepted with a warning: {figure(collimated['accepted'])}\n\n"
        )
        + table(
            ["no frontal chest film", *counts, "passed [95 %]", f"at most {MOST_PASSED:.0%} shown"],
            others,
        )
        + "\n"
        + table(["frontal film", *counts, "accepted [95 %]"], films)
        + (
            "\nA kind of which too few pictures are here has no figure of its own to rely on: a "
            "tag or a description that names such a part refuses or holds the film whatever its "
            "picture shows. Rows that begin with `collimated` have the tags of a chest film.\n"
        )
    )


def kind_card(found: Json) -> str:
    """Write the card of film-kind: table (b) of the gate."""

    def line(name: str, row: Json) -> list[str]:
        reasons = ", ".join(f"{reason} {count}" for reason, count in row["reasons"].items())
        wanted = "accepted" if row["frontal"] else "not accepted"
        counts = [str(row[word]) for word in ("accepted", "held", "refused")]
        return [name, *counts, f"{wanted} {figure(row['right'])}", reasons]

    rows = found["rows"]
    head = ["pictures", "accepted", "held", "refused", "share as it should be [95 %]", "reasons"]
    films = [line(name, row) for name, row in rows.items() if row["frontal"]]
    others = [line(name, row) for name, row in rows.items() if not row["frontal"]]
    return f"""# film-kind

Says of a radiograph's pixels whether they show an upright frontal chest film, or one that is mirrored, shown as a negative,
upside down, rotated, lateral, or something else: the gate's second witness beside the tags. ResNet-18 up to its third stage
(MONAI), 160 px. It decides nothing that tags, size and plain pixel rules can decide. Not a medical device.

**Terms.** {KIND_TERMS}

**Measured** on pictures that it never learned from, each written as a DICOM file whose tags say a PA chest film of an adult
and sent through the whole gate. Frontal and lateral films by patient; Hannover and Guangzhou as whole sources; other
pictures by half of their collection. Mirrored, inverted, upside down and rotated films were made of the NIH test films;
the few real ones have rows of their own. Shares with Wilson intervals.

- frontal films of adults accepted: {figure(found["frontal_adults_accepted"])}
- laterals, other body parts, other modalities and other pictures refused: {figure(found["strange_refused"])}
- mirrored, inverted, upside-down and rotated films not accepted: {figure(found["turned_not_accepted"])}; these are held,
  not refused: a person sees at once what they are

## Frontal films

{table(head, films)}
## Everything else

{table(head, others)}
Where the reason is `too-small`, size alone decided (the hands have 64 px).

## Without a word of the tags

A picture alone stands for a body part that no tag names only where its probability of an upright frontal film reaches
`sure` of calibration.json: the least that at most 0.2 % of any kind of val picture reaches that is none (lateral and turned
films, other pictures, windows of films). The study then carries the warning `body-part-by-picture`.

{silent_tables(found)}
## Known limits

A mirrored film and a heart on the right look alike, so both are held. A border of one grey, as of a collimator, is taken away
before the network looks, where it lies along two opposite sides at least and leaves a rectangle (turned by up to 15
degrees); a round or many-sided field is not found, and the film is held where one grey fills more than 40 % of it. Films of children are accepted; the age in the tags
adds the warning. It never saw a limb larger than 64 px while learning. Every figure:
`python -m pipelines.evaluate film-kind --data DIR`.
"""
