"""What is done on a case: one row an act, and one address made of each row."""

# FastAPI reads these annotations when addresses are made: they stay objects
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from medmm.assistant import Assistant
from medmm.domain.codec import to_json
from medmm.domain.critical_result import Route
from medmm.domain.draft import Assertion
from medmm.domain.priority import Priority
from medmm.domain.reading import Side
from medmm.domain.report import Accept, Add, Decision, Edit, Impression, Reject
from medmm.domain.roles import may
from medmm.doors.http.calling import Caller, CaseId, IfMatch, JsonAlone, Key
from medmm.doors.http.json_answer import JsonAnswer
from medmm.doors.http.problems import refusals

LONGEST_TEXT, MOST_DECISIONS = 20_000, 500
Words = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
StatementId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class Body(BaseModel):
    """What an act takes; it knows no other field."""

    model_config = ConfigDict(extra="forbid")


class AcceptBody(Body):
    """Take a drafted statement as it is."""

    kind: Literal["accept"]
    statement: StatementId

    def noun(self) -> Decision:
        """Make the decision."""
        return Accept(self.statement)


class EditBody(Body):
    """Take a drafted statement with the reader's own words."""

    kind: Literal["edit"]
    statement: StatementId
    text: Words

    def noun(self) -> Decision:
        """Make the decision."""
        return Edit(self.statement, self.text)


class RejectBody(Body):
    """Leave a drafted statement out; `code` is one of the reasons in the docs."""

    kind: Literal["reject"]
    statement: StatementId
    reason: Annotated[str, StringConstraints(max_length=2000)] = ""
    code: Annotated[str, StringConstraints(max_length=40)] | None = None

    def noun(self) -> Decision:
        """Make the decision."""
        return Reject(self.statement, self.reason, self.code)


class AddBody(Body):
    """State a finding of one's own: by vocabulary (`finding`), or in words (`text`)."""

    kind: Literal["add"]
    finding: Annotated[str, StringConstraints(max_length=100)] | None = None
    text: Annotated[str, StringConstraints(max_length=LONGEST_TEXT)] = ""
    side: Side | None = None
    place: Annotated[str, StringConstraints(max_length=500)] = ""
    assertion: Literal["present", "possible", "absent"] = "present"

    def noun(self) -> Add:
        """Make the decision."""
        said = Assertion(self.assertion)
        if self.finding is None:
            return Add(self.text, side=self.side, place=self.place, assertion=said)
        return Add.of(self.finding, side=self.side, place=self.place, assertion=said)


class ImpressionBody(Body):
    """Write the impression in the reader's own words."""

    kind: Literal["impression"]
    text: Words

    def noun(self) -> Decision:
        """Make the decision."""
        return Impression(self.text)


DecisionBody = Annotated[
    AcceptBody | EditBody | RejectBody | AddBody | ImpressionBody, Field(discriminator="kind")
]
Decisions = Annotated[list[DecisionBody], Field(min_length=1, max_length=MOST_DECISIONS)]


class Nothing(Body):
    """An act that needs no further word."""


class DecideBody(Body):
    """Decisions on statements; if one is refused, none is kept."""

    decisions: Decisions


class FirstReadBody(Body):
    """What a reader sees before a draft is shown."""

    text: Annotated[str, StringConstraints(max_length=LONGEST_TEXT)] = ""
    findings: Annotated[list[AddBody], Field(max_length=100)] = []
    nothing_suspected: bool = False


class ClaimBody(Body):
    """For how long a case is claimed; `since` renews the claim that began then."""

    minutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    since: datetime | None = None


class UnclaimBody(Body):
    """Which claim is given back; without `since` whichever there is."""

    since: datetime | None = None


class PriorityBody(Body):
    """How urgent a case is, and why."""

    priority: Priority
    reason: Line


class CommunicationBody(Body):
    """Who was told of critical findings, how, and whether they repeated it."""

    to: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    how: Route
    read_back: bool


class AmendBody(Body):
    """Decisions over a signed report, and why."""

    decisions: Decisions
    reason: Line
    correction: bool = False


class AddendumBody(Body):
    """Words added to a signed report, and why."""

    text: Words
    reason: Line


class ReasonBody(Body):
    """Why."""

    reason: Line


# Takes the body and, by their names, who asks, under which key, and what was seen
Do = Callable[[Assistant, str, Any, dict[str, Any]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An act on a case.

    Attributes:
        verb: of the assistant, whose summary is the summary of the address.
        bound: whether it must say by `If-Match` what was looked at.
        binds: whether it may.
    """

    place: str
    verb: str
    body: type[Body]
    do: Do
    bound: bool = False
    binds: bool = True


def _nouns(bodies: list[Any]) -> list[Any]:
    return [one.noun() for one in bodies]


ACTS = (
    Act(
        place="claim",
        verb="claim",
        body=ClaimBody,
        binds=False,
        do=lambda assistant, case_id, body, how: assistant.claim(
            case_id, minutes=body.minutes, since=body.since, **how
        ),
    ),
    Act(
        place="unclaim",
        verb="unclaim",
        body=UnclaimBody,
        binds=False,
        do=lambda assistant, case_id, body, how: assistant.unclaim(
            case_id, since=body.since, **how
        ),
    ),
    Act(
        place="priority",
        verb="prioritise",
        body=PriorityBody,
        binds=False,
        do=lambda assistant, case_id, body, how: assistant.prioritise(
            case_id, body.priority, reason=body.reason, **how
        ),
    ),
    Act(
        place="first-read",
        verb="record_first_read",
        body=FirstReadBody,
        binds=False,
        do=lambda assistant, case_id, body, how: assistant.record_first_read(
            case_id,
            text=body.text,
            findings=_nouns(body.findings),
            nothing_suspected=body.nothing_suspected,
            **how,
        ),
    ),
    Act(
        place="decisions",
        verb="decide",
        body=DecideBody,
        do=lambda assistant, case_id, body, how: assistant.decide(
            case_id, _nouns(body.decisions), **how
        ),
    ),
    Act(
        place="accept-passing",
        verb="accept_passing",
        body=Nothing,
        do=lambda assistant, case_id, body, how: assistant.accept_passing(case_id, **how),
    ),
    Act(
        place="undo",
        verb="undo",
        body=Nothing,
        do=lambda assistant, case_id, body, how: assistant.undo(case_id, **how),
    ),
    Act(
        place="communication",
        verb="communicate",
        body=CommunicationBody,
        do=lambda assistant, case_id, body, how: assistant.communicate(
            case_id,
            to=body.to,
            how=body.how,
            read_back=body.read_back,
            **how,
        ),
    ),
    Act(
        place="proposal",
        verb="propose",
        body=Nothing,
        do=lambda assistant, case_id, body, how: assistant.propose(case_id, **how),
    ),
    Act(
        place="signature",
        verb="sign",
        body=Nothing,
        bound=True,
        do=lambda assistant, case_id, body, how: assistant.sign(case_id, **how),
    ),
    Act(
        place="amendment",
        verb="amend",
        body=AmendBody,
        bound=True,
        do=lambda assistant, case_id, body, how: assistant.amend(
            case_id,
            _nouns(body.decisions),
            reason=body.reason,
            correction=body.correction,
            **how,
        ),
    ),
    Act(
        place="addendum",
        verb="addendum",
        body=AddendumBody,
        bound=True,
        do=lambda assistant, case_id, body, how: assistant.addendum(
            case_id, body.text, reason=body.reason, **how
        ),
    ),
    Act(
        place="withdrawal",
        verb="withdraw",
        body=ReasonBody,
        bound=True,
        do=lambda assistant, case_id, body, how: assistant.withdraw(
            case_id, reason=body.reason, **how
        ),
    ),
)


def router() -> APIRouter:
    """Make the address of each act."""
    made = APIRouter(tags=["acts on a case"])
    for act in ACTS:
        made.add_api_route(
            f"/cases/{{case_id}}/{act.place}",
            _handler(act),
            methods=["POST"],
            operation_id=act.verb,
            summary=_summary(act.verb),
            response_model=dict[str, Any] | None,
            responses=refusals(404, 409, 412, 413, 415, *((428,) if act.bound else ())),
            dependencies=[JsonAlone],
        )
    return made


def _summary(verb: str) -> str:
    return (getattr(Assistant, verb).__doc__ or "").partition("\n")[0].rstrip(".")


def _handler(act: Act) -> Callable[..., Response]:
    def bound(
        call: Caller, case_id: CaseId, body: Any, key: Key = None, tag: IfMatch = None
    ) -> Response:
        needed = act.bound and may(act.verb, call.by)  # who may not is refused by the verb
        shown = call.seen(case_id, tag, needed=needed)
        how = {"by": call.by, "key": call.key(key), "shown": shown}
        return JsonAnswer(to_json(act.do(call.assistant, case_id, body, how)))

    def free(call: Caller, case_id: CaseId, body: Any, key: Key = None) -> Response:
        how = {"by": call.by, "key": call.key(key)}
        return JsonAnswer(to_json(act.do(call.assistant, case_id, body, how)))

    made = bound if act.binds else free
    made.__annotations__["body"] = act.body
    return made
