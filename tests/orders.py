"""Orders of the tests: messages as an order system sends them, for the film of the tests."""

from __future__ import annotations

from medmm.connections.hl7_text import escape

PATIENT = "ZZ-1^^^HOSP^MR"
NAME = "ZZTEST^FILM"


def order_message(
    *,
    control: str = "NW",
    sent: str = "20200304080000+0100",
    entered: str = "20200304075500+0100",
    ids: str = PATIENT,
    name: str = NAME,
    born: str = "19600102",
    sex: str = "F",
    placer: str = "P1",
    filler: str = "",
    accession: str = "ACC1",
    reason: str = "Cough, no fever",
    information: str = "",
    note: str = "",
    priority: str = "",
    study: str = "",
    header: str = "MSH|^~\\&|OE|HOSP|MEDMM|RAD|{sent}||ORM^O01^ORM_O01|{id}|P|2.5.1||||||UNICODE UTF-8",
    control_id: str = "C1",
) -> str:
    """An ORM^O01 message of one order; texts are escaped, all else stands as it is given."""
    obr = {
        1: "1",
        2: placer,
        3: filler,
        4: "71046^Chest, 2 views^L",
        13: escape(information),
        18: accession,
        31: f"^{escape(reason)}" if reason else "",
    }
    rows = [
        header.format(sent=sent, id=control_id),
        f"PID|1||{ids}||{name}||{born}|{sex}",
        f"ORC|{control}|{placer}|{filler}||||||{entered}",
        *([f"TQ1|1||||||||{priority}"] if priority else []),
        "OBR|" + "|".join(obr.get(number, "") for number in range(1, 32)),
        *([f"NTE|1||{escape(note)}"] if note else []),
        *([f"ZDS|{study}^MEDMM^Application^DICOM"] if study else []),
    ]
    return "".join(row + "\r" for row in rows)
