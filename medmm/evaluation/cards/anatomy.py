"""The card of chest-anatomy, written from `evaluation.json` alone."""

from __future__ import annotations

from typing import Any

from medmm.evaluation.cards.tables import figure, table
from medmm.evaluation.cards.terms import ANATOMY_TERMS

Json = dict[str, Any]


def anatomy_card(found: Json) -> str:
    """Write the card of chest-anatomy."""
    jsrt = found["jsrt"]
    others = [
        [s, str(r["films"]), figure(r["lung_dice"]), str(r["ratio_refused"])]
        for s, r in sorted(found["other_sources"].items())
    ]
    return f"""# chest-anatomy

Outlines lungs and heart on a frontal chest radiograph (MONAI U-Net, 192 px, four looks at each film: as it is, mirrored,
scaled and shifted) and gives the cardiothoracic ratio with an interval of that film, or says why it does not. Not a medical
device.

**Terms.** {ANATOMY_TERMS}

**Learned from** 150 JSRT films and 116 lung-only films, in plain and in strong views, then also from 2,610 NIH films of the
training split with its own outlines, where its looks at a film agreed. When a ratio is stated, and how wide its interval is,
was learned on 30 further JSRT films and on marked NIH films of the validation split. Measured on {
        jsrt["films"]
    } JSRT films and on
NIH films of the test split; the marked ones were measured once before, with the network that this one replaced.

## JSRT: drawn outlines

{
        table(
            ["JSRT films not learned from", "figure [95 %]"],
            [
                ["lung Dice", figure(jsrt["lung_dice"])],
                ["heart Dice", figure(jsrt["heart_dice"])],
                [
                    f"cardiothoracic ratio, mean absolute error ({jsrt['ratio_stated']} stated)",
                    figure(jsrt["ratio_mean_absolute_error"]),
                ],
                [
                    "the same, of all films, stated or not",
                    figure(jsrt["ratio_mean_absolute_error_of_all"]),
                ],
                ["cardiothoracic ratio, mean error", figure(jsrt["ratio_mean_error"])],
                [
                    "the same ratio for everyone, mean absolute error",
                    figure(jsrt["ratio_constant_guess_error"]),
                ],
                [
                    "share of 95 % intervals that hold the drawn ratio",
                    figure(jsrt["ratio_interval_holds"]),
                ],
            ],
        )
    }
The ratio is computed from outlines: width of the heart over the width between the outer edges of the lungs. The chest wall
is a little wider, so it reads slightly higher than a ratio measured at the ribs.

{marked_text(found["nih"]["marks"])}
{stated_text(found["nih"])}
## By source

{sources_table(found["sources"])}
RSNA 2018 films are NIH films: they stand within them, never beside them. "Wrong" counts stated intervals that do not hold the
drawn (JSRT) or marked (NIH) ratio; of the others no truth is known. Open-i films (Indiana University) came as squares.

## Other films with drawn lungs (no heart was drawn)

{table(["source", "films", "lung Dice", "ratio refused"], others)}
The Hannover films are external films of chest-findings too. Here lung means what is not hidden behind the heart or the
diaphragm.

## Known limits

Films on which the looks disagree, or whose outlines do not look like a chest, give no ratio: a bedside film more often than an
upright one. On bedside (AP) films the heart is enlarged by projection; the reading then carries a warning. Fat beside the heart
and a raised diaphragm are sometimes outlined as heart on all looks alike, which no interval knows of. Every figure:
`python -m pipelines.evaluate chest-anatomy --data DIR`.
"""


def marked_text(marks: Json) -> str:
    """Write what the ratio is worth on marked NIH films."""
    rows = [
        [
            name,
            f"{m['measured']} of {m['marked']}",
            figure(m["median_error"]),
            figure(m["mean_error"]),
            (
                f"{m['interval_holds']['hits']} of {m['interval_holds']['count']}: "
                f"{figure(m['interval_holds'])}"
            ),
            f"± {m['half_width_median']:.3f}",
        ]
        for name, m in marks.items()
    ]
    head = [
        "films",
        "measured",
        "median absolute error",
        "mean error",
        "95 % intervals that hold",
        "median interval",
    ]
    missed = [_missed(row) for row in marks["all"]["missed"]]
    apart = [_missed(row) for row in marks["all"]["readings_apart"]]
    columns = ["film", "view", "marked", "two readings differ by", "stated"]
    return f"""## NIH test films: marked columns

The left and right edges of heart and lungs were read off rulers on 80 test films by a vision-language model that looked at each
film twice, independently and blind to any output; no radiologist did. Half of the films are AP, and a third were chosen outside
0.40 to 0.60 of the network before, so they are harder than the average. Films whose two readings differ by more than 0.04 stand
apart below and count in no figure.

{table(head, rows)}
Intervals that do not hold the marked ratio:

{table(columns, missed) if missed else "None." + chr(10)}
Films whose two readings are apart:

{table(columns, apart) if apart else "None." + chr(10)}"""


def _missed(row: Json) -> list[str]:
    stated = (
        "not measured"
        if row["stated"] is None
        else f"{row['stated']:.2f} ± {row['half_width']:.3f}"
    )
    return [
        row["file"],
        row["view"],
        f"{row['marked']:.3f}",
        f"{row['repeat_difference']:.3f}",
        stated,
    ]


def stated_text(nih: Json) -> str:
    """Write how often a ratio is stated on NIH films, and which extremes are stated.

    It also says how well the ratio tells large hearts.
    """
    test, auroc = nih["test"], nih["auroc"]
    groups = [[name, shared(row)] for name, row in nih["measured"].items()]
    reasons = [[reason, str(count)] for reason, count in nih["reasons"].items()]
    extremes = [
        [row["file"], row["view"], f"{row['ratio']:.2f} ± {row['half_width']:.3f}", row["verdict"]]
        for row in nih["extremes"]
    ]
    below, above = (next(k for k in test if k.startswith(word)) for word in ("below", "above"))
    return f"""## NIH films: stated, doubted, extreme

{table(["films", "measured"], groups)}
Of the test films {test["measured"]["hits"]} of {test["measured"]["count"]} got a ratio, from {
        test["least"]
    } to {test["greatest"]}: {test[below]} {below.replace("_", " ")}, {test[above]} {
        above.replace("_", " ")
    }.

{table(["why not, on test films", "films"], reasons)}
The ratio tells PA films labelled Cardiomegaly from the rest (validation and test together) with an AUROC of
{figure(auroc["measured_films"])} on {auroc["measured_films"]["films"]} measured films ({
        auroc["measured_films"]["labelled"]
    } labelled); with the films that were not measured at the median
ratio, {figure(auroc["unmeasured_at_the_median"])} on {
        auroc["unmeasured_at_the_median"]["films"]
    } ({
        auroc["unmeasured_at_the_median"]["labelled"]
    } labelled). The labels were mined from reports.

Every stated ratio below 0.33 or above 0.75 on the test films, as a look at the film and its outlines found it:

{
        table(["film", "view", "ratio", "verdict"], extremes)
        if extremes
        else "None is stated." + chr(10)
    }"""


def shared(share: Json) -> str:
    """Format a share with its counts."""
    return f"{share['hits']} of {share['count']}: {figure(share)}"


def sources_table(sources: Json) -> str:
    """Tabulate films, measured, doubted and wrong, by source."""
    rows = [
        [
            name,
            str(row["films"]),
            shared(row["measured"]),
            str(row["doubted"]),
            "not known"
            if row["wrong"] is None
            else f"{row['wrong']['count']} of {row['wrong']['of']}",
        ]
        for name, row in sorted(sources.items())
    ]
    return table(["source", "films", "measured", "doubted", "wrong"], rows)
