"""Where a network of findings looks, and which sides it names."""

from __future__ import annotations

from medmm.evaluation.cards.tables import Json, figure, table


def pointing_table(pointing: Json) -> str:
    """Tabulate how often a map's strongest place lies in a reader's box."""
    rest = pointing["nih_boxes_of_the_rest"]
    points = [
        _points("NIH boxes, all findings", pointing["nih_boxes"]),
        _points(f"of these all but Pneumonia and Infiltration ({rest['findings']} findings)", rest),
        *(
            _points(f"of these {n}", r)
            for n, r in sorted(pointing["nih_boxes"]["by_finding"].items())
        ),
        _points("RSNA lung opacity, union of three maps", pointing["lung_opacity"]),
    ]
    return table(["boxes", "count", "patients", "hits", "hit rate", "centre of lung"], points)


def _points(name: str, row: Json) -> list[str]:
    if not row.get("count"):
        return [name, "0", "", "", "", ""]
    rate = f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    return [
        name,
        str(row["count"]),
        str(row["patients"]),
        str(row["hits"]),
        rate,
        f"{row['centre_of_lung']:.2f}",
    ]


def sides_text(sides: Json) -> str:
    """Say in words when a side is named."""
    rule, named = sides["rule"], sides["findings_with_a_side"]
    who = (
        f"This holds for {', '.join(named)}."
        if named
        else "This holds for no finding, so no side is named at all."
    )
    return (
        "A side is named of a finding only where the map's side agreed with the boxes on at "
        f"least {rule['least_agreement']:.0%} of at least {rule['least_films']} films of "
        f"training and validation at or above the operating point. {who} Both sides are never "
        "named. Below, the maps' sides on test films: with boxes of the finding itself, and "
        "for three opacities boxes of any lung opacity."
    )


def sides_table(sides: Json) -> str:
    """Tabulate how the maps' sides agree with the boxes of test films."""
    header = [
        "finding",
        "named in drafts",
        "films with boxes",
        "a side by the map",
        "agrees",
        "opposite",
        "at or above the operating point: agrees",
    ]
    whole = [("all, own boxes", sides["nih_boxes"]), ("all, opacity boxes", sides["opacity_boxes"])]
    rows = []
    for name, r in [*whole, *sorted(sides["by_finding"].items())]:
        every, suspected = r["all"], r["suspected"]
        named = {True: "yes", False: "no", None: ""}[r.get("named_in_drafts")]
        rows.append(
            [
                name,
                named,
                str(every["boxes"]),
                str(every["agree"]["count"]),
                figure(every["agree"]),
                str(every["opposite"]),
                (
                    f"{suspected['agree']['hits']} of {suspected['agree']['count']}: "
                    f"{figure(suspected['agree'])}"
                ),
            ]
        )
    return table(header, rows)
