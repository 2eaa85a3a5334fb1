"""The one door for Python users, doors, dashboard and pipelines.

Each method is a docstring and a call of its verb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from datetime import date, datetime
from pathlib import Path

from medmm.config import Settings, load_settings
from medmm.domain.acceptance import Acceptance
from medmm.domain.argument_checks import checked_methods, paths_of
from medmm.domain.audit_event import AuditEvent, AuditProof, AuditTrail, AuditVerification
from medmm.domain.clock import Clock, utc_now
from medmm.domain.confirmation import Confirmation
from medmm.domain.critical_result import Communication, Route
from medmm.domain.delivery import ALL_DELIVERIES, Delivery, DeliveryFilter
from medmm.domain.directory import Directory
from medmm.domain.double_reading import DoubleReading, FirstReads
from medmm.domain.draft import Case, CheckedDraft
from medmm.domain.draft_progress import DraftProgress
from medmm.domain.draft_version import DraftVersion
from medmm.domain.drift import DriftReport
from medmm.domain.errors import StateError
from medmm.domain.first_read import FirstRead, ReadingMode
from medmm.domain.identity import PatientIdentity
from medmm.domain.insight import ALL_SIGNED, Insight, InsightFilter
from medmm.domain.lease import Lease
from medmm.domain.model_card import ModelCard
from medmm.domain.model_check import ModelCheck
from medmm.domain.model_server import WriterProbe
from medmm.domain.model_standing import ModelStanding
from medmm.domain.priority import CasePriority, Order, Priority
from medmm.domain.read_task import ReadTask
from medmm.domain.reading import ReadResult
from medmm.domain.recall import RecallList
from medmm.domain.record import ClinicalContext
from medmm.domain.record_influence import Influence
from medmm.domain.report import (
    Add,
    CaseFile,
    CaseState,
    CaseSummary,
    Decision,
    Preliminary,
    Reader,
    SignedReport,
    SignedStatement,
)
from medmm.domain.session_event import SessionEvent
from medmm.domain.shown import Shown
from medmm.domain.study import Modality, NotEvaluable, Release, Study
from medmm.domain.study_inspection import Capabilities, FoundStudy, Inspection, ModelRow
from medmm.domain.teaching_case import TeachingCase
from medmm.domain.transcript import Transcript
from medmm.domain.unfinished_text import UnfinishedText
from medmm.domain.waiting_order import OrdersTaken
from medmm.domain.worklist import ALL_CASES, CaseFilter, Page, SavedFilter, Worklist
from medmm.verbs import (
    Asked,
    By,
    Networks,
    accepting,
    admitting,
    amending,
    auditing,
    calibrating,
    cases,
    claiming,
    communicating,
    deciding,
    dictating,
    first_reads,
    insight,
    inspecting,
    installing,
    opened_house,
    outbox,
    outgoing,
    publishing,
    reading,
    reading_room,
    taking_orders,
    teaching,
    watching,
    writing,
)
from medmm.verbs.incoming import Incoming

Paths = str | Path | Iterable[str | Path]
Record = str | Path | None


@checked_methods
class Assistant:
    """The assistant: it reads studies and records, drafts, and keeps what clinicians decide.

    Safe from several threads and processes. Every verb checks the role of who asks, commits its
    result together with its audit entry, and leaves an entry when it fails.

    Four arguments mean the same in every verb:
        case_id: the id of a case, as `open_case` and `cases` give it.
        by: a reader, or the id of one under `readers:` of the settings or in the directory; without
            it the service that the settings name under `actor:` acts, where the verb allows that.
        key: an idempotency key. The same verb under the same key with the same request gives the
            first result again, for `replay_days` of the settings; another request under it is a
            StateError.
        shown: what the reader saw when acting, as `Shown.of(file, identity)` takes it down; then
            nothing is done to a case that is not so any more, or to another one.

    Raises: the errors of `medmm.domain.errors`. Besides those that a verb names: PermissionDenied
        if `by` is unknown or its role may not; StateError after `close`; InputError if an argument
        has a wrong type or an id names nothing; IntegrityError if what is kept is not what the
        audit log says; Unavailable if the store can't be reached or written now. What can't be
        evaluated is a `NotEvaluable`, not an error.

    Example:
        >>> with Assistant.from_config("configs/local.yaml") as assistant:
        ...     study = assistant.admit("incoming/0001", record="patient.json")
        ...     case = assistant.open_case(study.uid)
        ...     draft = assistant.draft(case.id)
        ...     asked = [s for s in draft.statements if s.summarises is None]
        ...     decisions = [
        ...         Reject(s.id, "failed a check") if draft.failed(s.id) else Accept(s.id)
        ...         for s in asked
        ...     ]
        ...     assistant.decide(case.id, decisions, by="reader-1")
        ...     report = assistant.sign(case.id, by="reader-1")
        ...     assistant.publish(report.id, to="out", by="reader-1")
    """

    def __init__(
        self,
        settings: Settings,
        *,
        networks: Networks | None = None,
        directory: Directory | None = None,
        clock: Clock = utc_now,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Open the data folder of the settings.

        Args:
            networks: what reads and words; without them those that the settings name.
            directory: who may act; without one the readers of the settings.
            clock: gives the time now, with its zone.
            progress: told how many cases of an earlier release were gone through at the first
                opening of their folder, of how many.

        Raises: ConfigError if the data folder or the database that is named can't be used;
            IntegrityError if what is kept there is damaged; Unavailable if it can't be reached now.
        """
        self.settings = settings
        self._house = opened_house(settings, networks, directory, clock, progress)

    @classmethod
    def from_config(cls, path: str | Path | None = None) -> Assistant:
        """Open what a YAML file names.

        Args:
            path: of the file; without it `$MEDMM_CONFIG`, else the `local.yaml` that ships.

        Returns: an open assistant; close it, or use it in a `with` statement.
        Raises: ConfigError naming every fault of the file, and as the constructor.

        Example:
            >>> assistant = Assistant.from_config("configs/local.yaml")
        """
        return cls(load_settings(path))

    def with_directory(self, directory: Directory) -> Assistant:
        """Give this assistant as it is to those whom another directory knows.

        It shares folder, models and log with this one, and is open as long as this one is. A door
        in which people sign in gives each session an assistant of its own.

        Args:
            directory: who may act; it is asked at every verb, so that it ends what a session may
                do at once.

        Example:
            >>> assistant.with_directory(ConfiguredReaders([reader])).readers()
        """
        other = copy(self)
        other._house = self._house.with_directory(directory)
        return other

    def with_site(self, site: str) -> Assistant:
        """Give this assistant as it is, whose new cases are of another site.

        It shares folder, models and log with this one, and is open as long as this one is.

        Args:
            site: name of the hospital or department, in place of `site` of the settings.

        Example:
            >>> north = assistant.with_site("Hospital North")
        """
        other = copy(self)
        other._house = self._house.with_site(site)
        return other

    @property
    def sop_classes(self) -> frozenset[str]:
        """UIDs of the SOP classes that the gate lets in; an object of another is never read."""
        return inspecting.sop_classes()

    @property
    def read_only(self) -> bool:
        """Whether the data folder is a read-only copy.

        `verify`, `prove`, `models` and `capabilities` work on it; every other verb needs its entry.
        """
        return self._house.store.read_only

    @property
    def reading_in_shadow(self) -> int:
        """How many drafted cases the models in shadow have still to read here."""
        return self._house.background.waiting

    def close(self) -> None:
        """Let go of files and connections; closing twice does nothing.

        It waits until the drafts that were begun are made, and the models in shadow have read the
        cases that this assistant drafted; an interrupt leaves the rest for later.

        Example:
            >>> assistant.close()
        """
        self._house.close()

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is not None:  # what failed is seen at once
            self._house.drop()
        self.close()

    def admit(
        self,
        path: Paths,
        *,
        record: str | Path | None = None,
        study_uid: str | None = None,
        confirmed: bool = False,
        by: By | None = None,
        key: str | None = None,
    ) -> Study | NotEvaluable:
        """Take one study in, with its record if one is given, and keep it if it passes the gate.

        Images of the study that come later join it.

        Args:
            path: a file, a folder, or several of them.
            record: a FHIR R4 Bundle, or a folder of Bundles: then the one that names the study by
                its UID, that is named like the study, or that is of its patient ID.
            study_uid: Study Instance UID of the one to take, if the paths hold several.
            confirmed: whether `by`, who may see identities, says that image and record are of one
                patient; it counts only where their identities can't tell.

        Returns: the study with the gate's warnings; a kept `NotEvaluable` with the reason if the
            gate refused it or holds it for a person (`held`).
        Raises: InputError if the paths hold no study or several, a file changes while it is copied,
            or the record is of another patient or must be confirmed.

        Example:
            >>> study = assistant.admit("incoming/0001", record="patient.json")
            >>> if isinstance(study, NotEvaluable):
            ...     print(study.reason)
        """
        return admitting.admit(
            self._house, Asked(by, key), Incoming.of(path), record, study_uid, confirmed
        )

    def take_order(
        self, message: bytes, *, by: By | None = None, key: str | None = None
    ) -> OrdersTaken:
        """Take in the imaging orders of an HL7 v2 message (ORM^O01, OMI^O23), all or none.

        An order waits for its study, and is joined to it when that is admitted.

        Args:
            message: as it came, without the blocks of MLLP.

        Returns: what became of each order; the same message again, or an older one, changes none.
        Raises: InputError if the message is at fault, with its code of HL7 table 0357 under `fault`
            and its place under `at`.

        Example:
            >>> taken = assistant.take_order(Path("order.hl7").read_bytes())
            >>> print([order.outcome for order in taken.orders])
        """
        return taking_orders.take_order(self._house, Asked(by, key), message)

    def read(
        self, paths: Paths, *, task: ReadTask | None = None, by: By | None = None
    ) -> Iterator[ReadResult]:
        """Read studies by the models alone, without a record and without keeping them.

        Files with one Study Instance UID are one study, under whichever of the paths they lie.
        Studies are read one by one as the results are asked for.

        Args:
            paths: files or folders of DICOM or NIfTI; with a `task`, folders of NIfTI files under
                fixed names.
            task: what arrays are to be read for, which say nothing of it themselves.

        Returns: one result a study: its reading, why it can't be evaluated, or why it can't be
            read.
        Raises: InputError if a folder lacks the files of its task.

        Example:
            >>> for result in assistant.read("incoming"):
            ...     print(result.path, result.reading or result.not_evaluable or result.problem)
        """
        places = paths_of(paths)
        groups = [[place] for place in places] if task else [places]
        return reading.read(self._house, groups, task, by)

    def release(
        self,
        path: Paths,
        *,
        reason: str,
        by: By,
        study_uid: str | None = None,
        held_sha256: str | None = None,
        key: str | None = None,
    ) -> Release:
        """Let a held study pass the gate from now on, because a person looked and says why.

        `admit` takes it then.

        Args:
            path: the files or folder as they were given to `admit`.
            reason: what was seen that lets it pass; not empty.
            study_uid: Study Instance UID of the one to release, if the paths hold several.
            held_sha256: digest of the `NotEvaluable` that was looked at, in hex; then nothing else
                is released.

        Returns: the release, which names the files that it counts for by digest.
        Raises: StateError if the study is not held, or is not what was looked at; InputError
            without a reason.

        Example:
            >>> held = assistant.admit("incoming/0002")
            >>> assistant.release(
            ...     "incoming/0002", reason="frontal view", by="reader-1", held_sha256=held.sha256
            ... )
            >>> study = assistant.admit("incoming/0002")
        """
        came = Incoming.of(path)
        return admitting.release(self._house, Asked(by, key), came, study_uid, reason, held_sha256)

    def open_case(self, study_uid: str, *, by: By | None = None, key: str | None = None) -> Case:
        """Open the case of an admitted study and its record, or give the one that is open.

        A case of the same images and record is given again. An unsigned case with another record or
        other images is superseded: one study has one open case. Decisions made on it stay with it,
        and the new case says so. Images that came after a report was signed make a case of their
        own.

        Args:
            study_uid: Study Instance UID, as `Study.uid` gives it.

        Returns: the case: study, record up to the time of the images, and the patient's earlier
            studies.
        Raises: StateError if a report of the same images with another record is signed, or if the
            gate refused the study; InputError if no such study is kept.

        Example:
            >>> case = assistant.open_case(study.uid)
        """
        return cases.open_case(self._house, Asked(by, key), study_uid)

    def draft(
        self,
        case_id: str,
        *,
        again: bool = True,
        shown: Shown | None = None,
        by: By | None = None,
        key: str | None = None,
    ) -> CheckedDraft:
        """Draft a case: read its images, write statements, and check each of them.

        Args:
            again: if false, a draft that the same settings and models made, or that a person has
                decided on, is given back instead of a new one.

        Returns: the statements with their evidence and the verdicts of the checks.
        Raises: StateError if the case is signed or superseded, or has a draft and another reader
            has claimed it.

        Example:
            >>> draft = assistant.draft(case.id)
            >>> for statement in draft.statements:
            ...     print(statement.text, draft.failed(statement.id))
        """
        return writing.draft(self._house, Asked(by, key), case_id, again, shown)

    def begin_draft(
        self,
        case_id: str,
        *,
        again: bool = True,
        shown: Shown | None = None,
        by: By | None = None,
        key: str | None = None,
    ) -> DraftProgress:
        """Have a case drafted in the background, as `draft` does it, and do not wait.

        A draft of the case that is being made already is not begun a second time, nor one that was
        made under the same key. What `draft` raises stands in the progress; its entry in the log is
        that of `draft`.

        Args:
            again: as in `draft`.

        Returns: how far it is.

        Example:
            >>> assistant.begin_draft(case.id, by="reader-1").stage.value
        """
        return writing.begin_draft(self._house, Asked(by, key), case_id, again, shown)

    def draft_progress(self, case_id: str, *, by: By | None = None) -> DraftProgress | None:
        """Say how far the draft of a case is that `begin_draft` began here, whoever began it.

        Its sentences are not checked, and no verb takes a decision on them. They are given to those
        alone of whom the log says that they have looked at the case, and not blind: a page asks
        twice a second, so no entry tells of it.

        Returns: the progress; of a draft that another program is making that it does, and no more;
            of one that ended, how. None if none was begun since this process started.

        Example:
            >>> progress = assistant.draft_progress(case.id, by="reader-1")
            >>> [one.text for one in progress.sentences] if progress else []
        """
        return writing.draft_progress(self._house, by, case_id)

    def drafts(self, case_id: str, *, by: By | None = None) -> tuple[DraftVersion, ...]:
        """List every version of a case's draft.

        Returns: the versions, oldest first; the last one is what `case` shows and readers decide
            on. Empty if the case was never drafted.

        Example:
            >>> [version.author for version in assistant.drafts(case.id)]
        """
        return writing.drafts(self._house, by, case_id)

    def influence(self, case_id: str, *, by: By | None = None) -> Influence:
        """Show what the record does to a draft, fact by fact, and keep nothing.

        Returns: the case drafted from the image alone, from the record alone and from both, and
            each fact's greatest change of a finding's probability (0 to 1), strongest first.

        Example:
            >>> for fact in assistant.influence(case.id).facts:
            ...     print(fact.label, fact.finding, fact.shift)
        """
        return writing.influence(self._house, by, case_id)

    def prioritise(
        self, case_id: str, priority: Priority, *, reason: str, by: By, key: str | None = None
    ) -> CasePriority:
        """Say how urgent an unsigned case is, and why.

        This counts in place of what its order or another person said.

        Args:
            priority: how urgent it is, in the words of FHIR R4 request-priority.
            reason: in a person's words; not empty.

        Returns: the priority with its reason, who gave it and when.
        Raises: StateError if the case is signed or superseded; InputError without a reason.

        Example:
            >>> assistant.prioritise(case.id, Priority.STAT, reason="dyspnoea", by="reader-1")
        """
        return cases.prioritise(self._house, Asked(by, key), case_id, priority, reason)

    def claim(
        self,
        case_id: str,
        *,
        by: By,
        minutes: int | None = None,
        since: datetime | None = None,
        key: str | None = None,
    ) -> Lease:
        """Claim a case to work on it, or renew the claim.

        Until it ends nobody else decides, signs or drafts there. A case that nobody claimed stays
        open to all; a claim that has expired counts for nothing.

        Args:
            minutes: from now on, 1 to 1440; without it `claim_minutes` of the settings.
            since: the beginning of the lease that an open page holds: then it is renewed, and if it
                was lost meanwhile, no other is begun in its place.

        Returns: the lease, with its holder and its end.
        Raises: StateError naming the holder while another reader has it, if the lease was lost
            (`lease` is in its `where`), or if nothing can be done on it any more; InputError if
            `minutes` is out of range; Unavailable if another took it at the same moment.

        Example:
            >>> lease = assistant.claim(case.id, by="reader-1", minutes=20)
            >>> lease.until
        """
        return claiming.claim(self._house, Asked(by, key), case_id, minutes, since)

    def unclaim(
        self, case_id: str, *, by: By, since: datetime | None = None, key: str | None = None
    ) -> None:
        """Give a claimed case back; an administrator frees anybody's.

        If nobody has claimed it, nothing changes.

        Args:
            since: the beginning of the lease that is given back: then no later one is ended.

        Raises: StateError naming the holder while another reader has it, or if that lease was lost.

        Example:
            >>> assistant.unclaim(case.id, by="reader-1")
        """
        claiming.unclaim(self._house, Asked(by, key), case_id, since)

    def decide(
        self,
        case_id: str,
        decisions: Sequence[Decision],
        *,
        by: By,
        shown: Shown | None = None,
        key: str | None = None,
    ) -> CheckedDraft:
        """Keep what a reader decides on the statements of a draft.

        A later decision on a statement replaces the earlier. The checks mark a reader's own words,
        see `CaseFile.rechecked`.

        Args:
            decisions: `Accept`, `Edit` or `Reject` a drafted statement, `Add` a finding of your
                own, write the `Impression`.

        Returns: the draft, unchanged.
        Raises: StateError if the case has no draft, is signed or superseded, another reader has
            claimed it, or a statement that failed a check is accepted as it stands; Unavailable
            while the case is drafted; InputError if the draft has no such statement. If one
            decision is refused, none is kept.

        Example:
            >>> assistant.decide(
            ...     case.id,
            ...     [Accept("s1"), Edit("s2", "Small left effusion."), Add("Old rib fracture.")],
            ...     by="reader-1",
            ... )
        """
        return deciding.decide(self._house, Asked(by, key), case_id, decisions, shown)

    def accept_passing(
        self, case_id: str, *, by: By, shown: Shown | None = None, key: str | None = None
    ) -> CheckedDraft:
        """Accept every undecided statement that passed all its checks, in one act with one entry.

        What is also suspected and not stated is left for a reader to state.

        Returns: the draft, unchanged.
        Raises: StateError if there is none, and as `decide`.

        Example:
            >>> assistant.accept_passing(case.id, by="reader-1")
        """
        return deciding.accept_passing(self._house, Asked(by, key), case_id, shown)

    def undo(
        self, case_id: str, *, by: By, shown: Shown | None = None, key: str | None = None
    ) -> CheckedDraft:
        """Undo the last act of this reader on an unsigned case; called again, the one before it.

        What stood decided before stands again; the act and its undoing both stay in the log.

        Returns: the draft, unchanged.
        Raises: StateError if there is nothing to undo, or the last act was another reader's.

        Example:
            >>> assistant.undo(case.id, by="reader-1")
        """
        return deciding.undo(self._house, Asked(by, key), case_id, shown)

    def communicate(
        self,
        case_id: str,
        *,
        to: str,
        how: Route,
        read_back: bool,
        by: By,
        shown: Shown | None = None,
        key: str | None = None,
    ) -> Communication:
        """Keep that a person was told of the critical findings of a case.

        Nothing is sent. Until then the case stands first in the worklist, signed or not; a report
        that is signed afterwards says it.

        Args:
            to: who was told, by name or duty.
            how: by phone, in person, by video, by secure message.
            read_back: whether who was told repeated it, and it was right.

        Returns: what is kept: the findings, their category, who told whom and when.
        Raises: StateError if the case has no critical finding; InputError if `to` names nobody.

        Example:
            >>> assistant.communicate(
            ...     case.id, to="ward 3", how=Route.PHONE, read_back=True, by="reader-1"
            ... )
        """
        return communicating.communicate(
            self._house, Asked(by, key), case_id, to, how, read_back, shown
        )

    def propose(
        self, case_id: str, *, by: By, shown: Shown | None = None, key: str | None = None
    ) -> Preliminary:
        """Leave what was decided to another reader's signature, as a resident does.

        The case is preliminary until somebody signs it, who may decide otherwise before. The report
        names both.

        Returns: who read it, and when; the reader's claim on the case ends.
        Raises: StateError as `sign`.

        Example:
            >>> assistant.propose(case.id, by="resident-1")
        """
        return deciding.propose(self._house, Asked(by, key), case_id, shown)

    def confirm(self, case_id: str, *, by: By, shown: Shown) -> Confirmation:
        """Ask for a signature on what is shown: a token that is good once, for ten minutes.

        One that was asked for before, in another window, counts no more.

        Returns: the confirmation, to be handed to `sign` with the same `shown`.
        Raises: StateError if the case can't be signed, or is not as it was shown.

        Example:
            >>> shown = Shown.of(assistant.case(case.id, by="reader-1"))
            >>> confirmation = assistant.confirm(case.id, shown=shown, by="reader-1")
        """
        return deciding.confirm(self._house, Asked(by), case_id, shown)

    def sign(
        self,
        case_id: str,
        *,
        by: By,
        shown: Shown | None = None,
        confirmation: Confirmation | None = None,
        key: str | None = None,
    ) -> SignedReport:
        """Sign what was decided.

        Args:
            confirmation: as `confirm` gave it for the same `shown`; it is used up.

        Returns: the first version of the report; the reader's claim on the case ends.
        Raises: StateError if a statement is undecided, the findings contradict each other, nothing
            is left to sign, the case is signed already, other images of the study came meanwhile,
            or another reader has claimed it, or the confirmation was used, replaced or is too old;
            Unavailable while the case is drafted; ConfigError if the reader still has the name that
            ships with the settings.

        Example:
            >>> report = assistant.sign(case.id, by="reader-1")
        """
        return deciding.sign(self._house, Asked(by, key), case_id, shown, confirmation)

    def amend(
        self,
        case_id: str,
        decisions: Sequence[Decision],
        *,
        reason: str,
        by: By,
        correction: bool = False,
        shown: Shown | None = None,
        key: str | None = None,
    ) -> SignedReport:
        """Change a signed report by signing these decisions over those that were signed.

        The version before is kept.

        Args:
            decisions: of `Edit`, `Reject`, `Accept`, `Add` and `Impression`; what they do not name
                stays.
            reason: why, for whoever acted on the version before; it stands on top of the report.
            correction: whether what stood there was wrong; if false, there is more to say.

        Returns: the report's new version.
        Raises: InputError without a reason or a change; StateError if the case has no signed
            report, it is withdrawn, somebody else changed it meanwhile or has claimed the case, or
            as `sign`.

        Example:
            >>> assistant.amend(
            ...     case.id,
            ...     [Edit("s2", "Small right effusion.")],
            ...     reason="the side was wrong",
            ...     correction=True,
            ...     by="reader-1",
            ... )
        """
        return amending.amend(
            self._house, Asked(by, key), case_id, decisions, reason, correction, shown
        )

    def addendum(
        self,
        case_id: str,
        text: str,
        *,
        reason: str,
        by: By,
        shown: Shown | None = None,
        key: str | None = None,
    ) -> SignedReport:
        """Add words to a signed report, whose own words stay.

        The version before is kept.

        Args:
            text: what is added; not empty.
            reason: why, for whoever acted on the version before; not empty.

        Returns: the report's new version.
        Raises: as `amend`; StateError if the text contradicts the report, since that takes an
            amendment.

        Example:
            >>> assistant.addendum(
            ...     case.id, "Discussed with the ward.", reason="call from the ward", by="reader-1"
            ... )
        """
        return amending.addendum(self._house, Asked(by, key), case_id, text, reason, shown)

    def withdraw(
        self,
        case_id: str,
        *,
        reason: str,
        by: By,
        shown: Shown | None = None,
        key: str | None = None,
    ) -> SignedReport:
        """Withdraw a signed report: from then on no finding of it is valid.

        What was signed is kept and can be read. The study can be opened again for a new case.

        Args:
            reason: why, for whoever acted on the report; not empty.

        Returns: the report's last version, which states nothing.
        Raises: InputError without a reason; StateError if the case has no signed report, or it is
            withdrawn already.

        Example:
            >>> assistant.withdraw(case.id, reason="images of another patient", by="reader-1")
        """
        return amending.withdraw(self._house, Asked(by, key), case_id, reason, shown)

    def publish(
        self,
        report_id: str,
        *,
        to: str | Path,
        forms: Sequence[str] = ("text", "json", "fhir"),
        by: By | None = None,
        key: str | None = None,
    ) -> tuple[Path, ...]:
        """Write a signed report into a folder: text, JSON, FHIR, DICOM objects, HL7 message.

        Publishing again gives the same files. Text, JSON and Bundle of other versions that lie
        there are written anew, so that none of them is taken for what counts. DICOM objects and
        HL7 messages are of one version each and stay as they are.

        Args:
            report_id: as `SignedReport.id` gives it.
            to: the folder; it is made if it is missing.
            forms: of `text`, `json`, `fhir`, and in DICOM `sr` (structured report), `seg`
                (segmentations), `key-object` (images that it cites) and `pdf` (its page), of which
                a withdrawn version is a note that rejects all objects of the report; and `oru`,
                the message of HL7 v2.5.1.

        Returns: the paths that were written.
        Raises: InputError for another form, if `to` is a file, or if a value is longer than a
            message may state it; StateError if a DICOM object is asked for and the study was not
            kept as DICOM; Unavailable if the folder can't be written.

        Example:
            >>> assistant.publish(report.id, to="out", by="reader-1")
            >>> assistant.publish(report.id, to="out", forms=("sr", "seg"), by="reader-1")
        """
        return publishing.publish(self._house, Asked(by, key), report_id, str(to), tuple(forms))

    def deliver(
        self, *, destination: str | None = None, by: By | None = None
    ) -> Iterator[Delivery]:
        """Send signed reports to the destinations of the settings, as far as they are due.

        Each version of a report was addressed with its signature. One is sent after the other as
        the results are asked for, urgent ones first, and a later version never before an earlier
        one has arrived or was given up. Each attempt has its entry. What was postponed is due again
        later, so this is called again and again (`medmm deliver` does so); several processes may.

        Args:
            destination: name of the only one that is sent to.

        Returns: where each delivery stands after its attempt.
        Raises: ConfigError if the settings name no destination; InputError if none is of this name.

        Example:
            >>> for sent in assistant.deliver():
            ...     print(sent.report_id, sent.destination, sent.state.value, sent.code)
        """
        return outbox.deliver(self._house, by, destination)

    def deliveries(
        self, wanted: DeliveryFilter = ALL_DELIVERIES, *, by: By | None = None
    ) -> tuple[Delivery, ...]:
        """List where signed reports go, what arrived and what was given up, the newest first.

        Args:
            wanted: what they have in common.

        Returns: the deliveries; without their reasons, which may name a patient, for roles that may
            not see identities.

        Example:
            >>> dead = DeliveryFilter(state=DeliveryState.DEAD)
            >>> for one in assistant.deliveries(dead, by="reader-1"):
            ...     print(one.number, one.destination, one.code, one.reason)
        """
        return outbox.deliveries(self._house, by, wanted)

    def retry_delivery(self, number: int, *, by: By, key: str | None = None) -> Delivery:
        """Put a delivery back that was given up, once what was at fault is mended.

        Args:
            number: as `Delivery.number` gives it.

        Returns: the delivery, due at once.
        Raises: StateError if it was not given up, or a later version has arrived there; Unavailable
            while another version of the report is being sent there.

        Example:
            >>> assistant.retry_delivery(dead[0].number, by="reader-1")
        """
        return outbox.retry_delivery(self._house, Asked(by, key), number)

    def check_model(self, path: str | Path, *, by: By | None = None) -> ModelCheck:
        """Say what a folder says of its model, and what its author still has to declare.

        Nothing of it is run, and nothing is kept.

        Args:
            path: of the folder.

        Returns: what was read, declared, is missing or contradicts itself, item by item; why the
            model can't be taken; and the beginning of a `reading-model.yaml` where there is none.

        Example:
            >>> check = assistant.check_model("incoming/film-net")
            >>> print(check.refused or check.skeleton)
        """
        return installing.check_model(self._house, by, Path(path))

    def add_model(
        self,
        path: str | Path,
        *,
        by: By,
        name: str | None = None,
        licence: str | None = None,
        key: str | None = None,
    ) -> ModelRow:
        """Adopt a trained model, a larger decoder, or a declared reading model of others.

        It is copied, checked, and kept under its digests. A reading model reads in shadow until
        `accept_model`.

        Args:
            path: of the folder.
            name: to call it by in the settings; without it the folder's own name.
            licence: its terms, in words or by SPDX; without it those of its manifest or card.

        Returns: the model's row, as `models` lists it.
        Raises: InputError if the folder can't be taken; IntegrityError if a file is not what its
            manifest says.

        Example:
            >>> assistant.add_model("runs/film-2", name="film-2", by="admin-1")
        """
        return installing.add_model(self._house, Asked(by, key), Path(path), name, licence)

    def remove_model(self, name: str, *, by: By, key: str | None = None) -> None:
        """Delete an adopted model.

        Args:
            name: as `models` lists it.

        Raises: InputError if there is none of this name; StateError while the settings name it.

        Example:
            >>> assistant.remove_model("film-2", by="admin-1")
        """
        installing.remove_model(self._house, Asked(by, key), name)

    def calibrate_model(
        self,
        name: str,
        *,
        to: str | Path,
        by: By,
        labels: str | Path | None = None,
        burden: float = 0.15,
        progress: Callable[[int, int], None] | None = None,
        key: str | None = None,
    ) -> Acceptance:
        """Measure a reading model on this site's own labelled studies, and set its points for it.

        Half of the patients set the points, the other half is measured on. What the gate refuses
        is counted. Nothing that drafts say changes before `accept_model`.

        Args:
            name: as `models` lists it.
            to: a new folder for `acceptance.json`, `acceptance.html` and the readings; that of a
                run which was broken off goes on where it was.
            labels: a CSV of path, patient and one column a finding; without it the reports that
                were signed here are labelled by rules.
            burden: of the studies without any finding, the most that may carry a claim, 0 to 1.
            progress: told how many studies are done, of how many.

        Returns: what was measured, as it was written.
        Raises: InputError for a table that can't be used, naming line and column, or one with too
            few studies for this burden; Unavailable if the folder can't be written.

        Example:
            >>> assistant.calibrate_model("film-net", labels="films.csv", to="trial", by="reader-1")
        """
        table = None if labels is None else Path(labels)
        asked = Asked(by, key)
        return calibrating.calibrate_model(
            self._house, asked, name, table, burden, Path(to), progress
        )

    def acceptance(self, path: str | Path, *, by: By | None = None) -> Acceptance:
        """Read a file of figures that `calibrate_model` wrote, and keep nothing.

        Args:
            path: of the `acceptance.json`.

        Returns: what was measured.
        Raises: InputError if it can't be read, or is none.

        Example:
            >>> assistant.acceptance("trial/acceptance.json").burden.value
        """
        return accepting.acceptance(self._house, by, Path(path))

    def accept_model(
        self,
        name: str,
        acceptance: str | Path,
        *,
        by: By,
        note: str = "",
        key: str | None = None,
    ) -> ModelStanding:
        """Let a reading model speak in drafts from now on, as it was measured here.

        Its findings stand on the site's scale then, and drafts name who accepted it.

        Args:
            name: as `models` lists it.
            acceptance: the `acceptance.json` that `calibrate_model` wrote.
            note: why, in your own words; it stays in the log's record of the model.

        Returns: the standing of this version of the model, with every decision on it.
        Raises: InputError if the file was altered, or is of another model or version; StateError if
            it is in force already.

        Example:
            >>> assistant.accept_model("film-net", "trial/acceptance.json", by="reader-1")
        """
        return accepting.accept_model(self._house, Asked(by, key), name, Path(acceptance), note)

    def shadow_model(
        self, name: str, *, reason: str, by: By, key: str | None = None
    ) -> ModelStanding:
        """Let an accepted model speak no longer: from now on it reads in shadow again.

        Drafts that were kept stay as they are.

        Args:
            name: as `models` lists it.
            reason: why; not empty.

        Returns: the standing of this version of the model, with every decision on it.
        Raises: InputError without a reason; StateError if it is packaged, or in shadow already.

        Example:
            >>> assistant.shadow_model("film-net", reason="a new detector", by="reader-1")
        """
        return accepting.shadow_model(self._house, Asked(by, key), name, reason)

    def watch_model(
        self, name: str, *, since: datetime | None = None, by: By | None = None
    ) -> DriftReport:
        """Compare what a model reads now with the studies that it was accepted on.

        Args:
            name: as `models` lists it.
            since: an aware time; without it the time of the acceptance.

        Returns: every distribution of scores and images, then and now, with a verdict.
        Raises: StateError if the model was never accepted.

        Example:
            >>> assistant.watch_model("film-net").drifted
        """
        return watching.watch_model(self._house, by, name, since)

    def insight(self, asked: InsightFilter = ALL_SIGNED, *, by: By) -> Insight:
        """Count how a reader took drafts: accepted, edited, rejected, how fast, what alarms.

        The figures are of the signed cases that this reader decided, with 95 % intervals. They say
        what was decided, never what was true.

        Args:
            asked: period of the signature, site, model, modality.

        Returns: the figures by kind of statement, finding, model, writer and groups of patients.
        Raises: PermissionDenied for another reader's figures.

        Example:
            >>> asked = InsightFilter(since=datetime(2026, 1, 1, tzinfo=UTC))
            >>> assistant.insight(asked, by="reader-1").alarms.false
        """
        return insight.insight(self._house, by, asked)

    def insight_of_all(self, asked: InsightFilter = ALL_SIGNED, *, by: By) -> Insight:
        """Count how all readers took drafts, or one who is named; see `insight`.

        Args:
            asked: period of the signature, site, reader, model, modality.

        Returns: the figures, by reader too.

        Example:
            >>> assistant.insight_of_all(InsightFilter(site="north"), by="attending-1").cases
        """
        return insight.insight_of_all(self._house, by, asked)

    def export_insight(self, asked: InsightFilter = ALL_SIGNED, *, by: By) -> Insight:
        """Count as `insight_of_all`, to take the figures along: the log says that they left.

        Args:
            asked: period of the signature, site, reader, model, modality.

        Returns: the figures.

        Example:
            >>> found = assistant.export_insight(by="auditor-1")
        """
        return insight.export_insight(self._house, by, asked)

    def recall_list(self, model: str, version: str, *, by: By) -> RecallList:
        """List the cases that rest on a version of a model, so that they are looked at again.

        Every draft of every case is gone through and held against the log; of 10,000 cases that
        takes up to two minutes.

        Args:
            model: its name, as drafts and reports state it; it need not be here any more.
            version: the digest of its manifest, or at least the first 8 of its 64 hex digits.

        Returns: each case with the drafts and findings that rest on it, and what became of it.
        Raises: InputError if the digest is none, or several versions begin with it.

        Example:
            >>> for case in assistant.recall_list("film-net", "3f0c9a1b", by="admin-1").cases:
            ...     print(case.case_id, case.state, case.findings)
        """
        return insight.recall_list(self._house, by, model, version)

    def probe_writer(self, *, by: By, key: str | None = None) -> WriterProbe:
        """Show the model server of the settings two pictures and a schema, and judge its answers.

        A server may word drafts only after it passed; the log keeps what was found. No data of a
        patient are sent. It takes at most 20 s.

        Returns: what was found; each refusal by its name.
        Raises: ConfigError if the settings name no server, or it sends elsewhere, refuses the key,
            or speaks another protocol; Unavailable if it can't be reached, fails or is too slow.

        Example:
            >>> assistant.probe_writer(by="admin-1").passed
        """
        return outgoing.probe_writer(self._house, Asked(by, key))

    def history(self, case_id: str, *, by: By | None = None) -> tuple[AuditEvent, ...]:
        """List what happened to a case and its study, as the audit log tells it.

        Returns: the events, oldest first, in keys and digests only.

        Example:
            >>> for event in assistant.history(case.id):
            ...     print(event.at, event.verb, event.outcome, event.actor)
        """
        return auditing.history(self._house, by, case_id)

    def note_session(self, event: SessionEvent, person: str, *, by: By | None = None) -> None:
        """Keep in the log that a person signed in, out, or was not let in.

        A door in which people sign in tells it; nothing is done for who is not in the log.

        Args:
            event: what became of the sign-in.
            person: id by which the person is or would be a reader.

        Example:
            >>> assistant.note_session(SessionEvent.SIGNED_IN, "reader-1", by="reader-1")
        """
        auditing.note_session(self._house, by, event, person)

    def audit_trail(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        after: int = 0,
        limit: int = 1000,
        by: By | None = None,
    ) -> AuditTrail:
        """Read the audit log in its order, with whom each event concerns.

        Patients are named by their keys alone. Times are those of the events; the order is that of
        the log, whatever the clock said.

        Args:
            since: an aware time; events from then on.
            until: an aware time; events before it.
            after: number of an entry; those that follow it are read.
            limit: most events at once, up to 10,000.

        Returns: the events, and in `after` the number to go on after; None where the log ended.
        Raises: InputError for a time without a zone or a limit out of range; IntegrityError if an
            entry is not what its hash says.

        Example:
            >>> for one in assistant.audit_trail(by="auditor-1").events:
            ...     print(one.event.at, one.event.verb, one.patients)
        """
        return auditing.audit_trail(self._house, by, after, limit, since, until)

    def verify(self, *, by: By | None = None) -> AuditVerification:
        """Check the whole audit log against its signed tree heads, and what it covers.

        Returns: the log's size in entries, and every damage with its place; `ok` if there is none.

        Example:
            >>> verification = assistant.verify()
            >>> assert verification.ok, verification.problems
        """
        return auditing.verify(self._house, by)

    def prove(self, entry: int, *, since: int | None = None, by: By | None = None) -> AuditProof:
        """Prove that an entry of the log stands under the last signed tree head.

        The proof is for whoever has nothing else of the log.

        Args:
            entry: its number, from 1, as `history` and `verify` name it.
            since: size in entries of an earlier tree head; then it is also proved that the log only
                appended to that head.

        Returns: the entry, the hashes that lead from it to the root, and the signed head.
        Raises: InputError if there is no such entry or head; IntegrityError if the log does not
            bear it out.

        Example:
            >>> number = assistant.history(case.id)[-1].number
            >>> proof = assistant.prove(number)
        """
        return auditing.prove(self._house, entry, since, by)

    def inspect(
        self, path: Paths, *, record: Record = None, by: By | None = None
    ) -> tuple[Inspection, ...]:
        """Say what paths, and a record beside them, are understood as, and keep nothing.

        Args:
            path: a file, a folder, or several of them.
            record: as for `admit`.

        Returns: one inspection a study: what it was understood as, what the gate has against it,
            whether the identities of image and record match.

        Example:
            >>> for look in assistant.inspect("incoming/0001", record="patient.json"):
            ...     print(look.path, look.not_evaluable or look.problem or look.match)
        """
        return inspecting.inspect(self._house, by, paths_of(path), record)

    def studies(
        self, folder: str | Path, *, records: Record = None, by: By | None = None
    ) -> tuple[FoundStudy, ...]:
        """Find the studies of a folder, at any depth, without decoding or keeping anything.

        Args:
            folder: to look through; a single file is looked at alone.
            records: a folder of FHIR R4 Bundles, of which each study gets the one that fits it.

        Returns: a row for each Study Instance UID, and one for each file that belongs to no study,
            in order of path.

        Example:
            >>> [found.name for found in assistant.studies("incoming") if found.uid]
        """
        return inspecting.studies(self._house, by, Path(folder), records)

    def record(
        self, path: str | Path, *, as_of: datetime | None = None, by: By | None = None
    ) -> ClinicalContext:
        """Say what a record is understood as, and keep nothing.

        Args:
            path: a file of FHIR R4 JSON.
            as_of: an aware time; later facts are left out. Without it all are given.

        Returns: the record's coded, dated facts.
        Raises: InputError if it is not FHIR R4 JSON.

        Example:
            >>> context = assistant.record("patient.json")
            >>> len(context.facts)
        """
        return inspecting.record(self._house, by, Path(path), as_of)

    def cases(
        self,
        *,
        state: CaseState | None = None,
        modality: Modality | None = None,
        body_part: str | None = None,
        critical: bool | None = None,
        suspected: bool | None = None,
        priority: Priority | None = None,
        waiting: bool | None = None,
        site: str | None = None,
        assigned: str | None = None,
        acquired_from: date | None = None,
        acquired_to: date | None = None,
        limit: int | None = None,
        after: str | None = None,
        order: Order = Order.NEWEST,
        by: By | None = None,
    ) -> tuple[CaseSummary, ...]:
        """List the cases of the worklist, patients by key only.

        Without arguments these are all cases, newest first.

        Args:
            state: only cases in this state; so for each argument down to `acquired_to`.
            modality: only studies of this modality.
            body_part: as the study states it, in upper or lower case.
            critical: whether something is suspected that a reader must be told at once.
            suspected: whether anything is suspected.
            priority: only cases of this priority.
            waiting: whether a person is waited for: drafted and not signed.
            site: as the settings name it.
            assigned: id of the reader who has claimed it.
            acquired_from: first day of the image, by its own clock; without cases of unknown day.
            acquired_to: last day of the image, likewise.
            limit: at most so many, from 1.
            after: id of the last case of the page before; cases opened meanwhile change nothing
                there. By urgency its `place`: then nobody is skipped if that case moves meanwhile.
            order: newest first, or by priority and, of equal ones, the longest waiting first; then
                signed cases.

        Returns: a summary of each case.
        Raises: InputError if `limit` is below 1, or there is no case `after`.

        Example:
            >>> assistant.cases(waiting=True, order=Order.URGENCY, limit=20)
        """
        wanted = CaseFilter(
            state=state,
            modality=modality,
            body_part=body_part,
            critical=critical,
            suspected=suspected,
            priority=priority,
            waiting=waiting,
            site=site,
            assigned=assigned,
            acquired_from=acquired_from,
            acquired_to=acquired_to,
        )
        return cases.cases(self._house, by, wanted, Page(limit=limit, after=after, order=order))

    def worklist(
        self,
        wanted: CaseFilter = ALL_CASES,
        *,
        search: str = "",
        limit: int = 50,
        after: str | None = None,
        order: Order = Order.URGENCY,
        counted: bool = True,
        by: By | None = None,
    ) -> Worklist:
        """List a page of the worklist with who its cases are.

        Identities are given to roles that may see them; one entry of the log names all cases of the
        page.

        Args:
            wanted: what the cases have in common.
            search: parts of a name (accents, case and ways of writing folded), a patient ID, a
                number of the order, or a Study UID; for roles that may see identities.
            limit: at most so many, 1 to 200.
            after: `CaseSummary.place` of the last case of the page before.
            order: by urgency, or newest first.
            counted: if false, cases are not counted by state and so on.

        Returns: the rows, how many there are on all pages, counts by state, priority and modality,
            and the entry of the log that the page shows (see `arrived`).
        Raises: InputError if `limit` is out of range, there is no case `after`, or nothing can be
            searched for by these words; PermissionDenied if this role may not search.

        Example:
            >>> page = assistant.worklist(CaseFilter(waiting=True), search="muller", by="reader-1")
            >>> [(row.patient, row.age, row.case.priority) for row in page.rows]
        """
        part = Page(limit=limit, after=after, order=order)
        return reading_room.worklist(self._house, by, wanted, search, part, counted)

    def arrived(self, entry: int, wanted: CaseFilter = ALL_CASES, *, by: By | None = None) -> int:
        """Count the cases that came since a page of the worklist was listed.

        That is what was opened, drafted or made more urgent, and nobody has decided on. A page can
        ask often: no entry of the log tells of a number.

        Args:
            entry: `Worklist.entry` of the page.
            wanted: what the cases have in common.

        Returns: how many.

        Example:
            >>> page = assistant.worklist(by="reader-1")
            >>> assistant.arrived(page.entry, by="reader-1")
        """
        return reading_room.arrived(self._house, wanted, entry, by)

    def next_case(
        self,
        wanted: CaseFilter = ALL_CASES,
        *,
        after: str | None = None,
        order: Order = Order.URGENCY,
        by: By,
    ) -> CaseSummary | None:
        """Find the next case that waits for a person and that nobody else holds.

        Args:
            wanted: what the cases have in common.
            after: id or `CaseSummary.place` of the case before; after the last one it goes on from
                the top. Without it the first one.
            order: by urgency, or newest first.

        Returns: the case, or None if none is left. `claim` takes it.

        Example:
            >>> case = assistant.next_case(by="reader-1")
            >>> lease = assistant.claim(case.case_id, by="reader-1")
        """
        part = Page(limit=1, after=after, order=order)
        return reading_room.next_case(self._house, by, wanted, part)

    def save_filter(self, saved: SavedFilter, *, by: By, key: str | None = None) -> None:
        """Keep a filter of the worklist under a name, for this reader alone.

        Args:
            saved: its name and what it asks for; one of the same name is replaced.

        Raises: StateError if the reader keeps 20 others.

        Example:
            >>> stat = SavedFilter(name="urgent films", wanted=CaseFilter(priority=Priority.STAT))
            >>> assistant.save_filter(stat, by="reader-1")
        """
        reading_room.save_filter(self._house, Asked(by, key), saved)

    def drop_filter(self, name: str, *, by: By, key: str | None = None) -> None:
        """Drop a saved filter of this reader.

        Args:
            name: as `filters` lists it.

        Raises: InputError if there is none of this name.

        Example:
            >>> assistant.drop_filter("urgent films", by="reader-1")
        """
        reading_room.drop_filter(self._house, Asked(by, key), name)

    def filters(self, *, by: By) -> tuple[SavedFilter, ...]:
        """List the saved filters of this reader, by name.

        Returns: the filters.

        Example:
            >>> for saved in assistant.filters(by="reader-1"):
            ...     assistant.worklist(saved.wanted, order=saved.order, by="reader-1")
        """
        return reading_room.filters(self._house, by)

    def keep_unfinished(
        self, case_id: str, field: str, text: str, *, by: By, shown: Shown | None = None
    ) -> None:
        """Keep what a reader is typing, outside the session, without deciding anything.

        It is given back to this reader alone, and kept until a decision on the field, or this
        reader's signature. No entry of the log tells of it, as of no key stroke.

        Args:
            field: what it is typed for: the id of a statement, or a name that the page gives.
            text: as it stands in the field; an empty one is kept no longer.

        Raises: InputError if field or text are too long; StateError if another case was shown, or
            this reader types in 100 other fields of the case.

        Example:
            >>> assistant.keep_unfinished(case.id, "s2", "Small left", by="reader-1")
        """
        reading_room.keep_unfinished(self._house, by, case_id, field, text, shown)

    def unfinished(self, case_id: str, *, by: By) -> tuple[UnfinishedText, ...]:
        """List what this reader typed in a case and has not decided on.

        Returns: the texts by field, each with the draft that it was typed beside and its time.

        Example:
            >>> {one.field: one.text for one in assistant.unfinished(case.id, by="reader-1")}
        """
        return reading_room.unfinished(self._house, by, case_id)

    def transcribe(
        self, case_id: str, audio: bytes, *, by: By, shown: Shown | None = None
    ) -> Transcript:
        """Have the dictation server of the settings write down what a reader said.

        It decides nothing, and neither the recording nor its words are kept. The log tells who
        sent how many bytes and seconds to which host, and none of the words.

        Args:
            audio: a WAV file of plain samples, at most `dictation.seconds` long.

        Returns: the words, and whether they are in another language than English.
        Raises: ConfigError if no dictation server is named, or it answers with something else;
            InputError if this is no such recording; Unavailable if there is no answer now;
            StateError if another case was shown.

        Example:
            >>> said = assistant.transcribe(case.id, audio, by="reader-1")
            >>> said.text
        """
        return dictating.transcribe(self._house, by, case_id, audio, shown)

    def case(
        self, case_id: str, *, pixels: bool = True, blind: bool = False, by: By | None = None
    ) -> CaseFile:
        """Show everything of one case, and what the checks mark in the words of readers.

        Args:
            pixels: whether images can be opened.
            blind: leave out reading, draft, suspicions, decisions and report, so that images,
                record and earlier studies are seen alone.

        Returns: the case with its state, draft, decisions and report, as far as it has them.

        Example:
            >>> file = assistant.case(case.id, pixels=False)
            >>> file.state
        """
        return cases.case(self._house, by, case_id, pixels, blind)

    def reading_mode(self, case_id: str, *, by: By) -> ReadingMode:
        """Say what this reader is to see first of a case: images alone, or the draft too.

        A page asks before it looks at the case. It is no look itself, and leaves no entry.

        Returns: BLIND_FIRST while the reader's setting, or the order to read the case twice, asks
            for a first read that can still be recorded; else DRAFT_FIRST.

        Example:
            >>> mode = assistant.reading_mode(case.id, by="reader-1")
            >>> blind = mode is ReadingMode.BLIND_FIRST
            >>> file = assistant.case(case.id, blind=blind, by="reader-1")
        """
        return first_reads.reading_mode(self._house, by, case_id)

    def refused_decision(self, case_id: str, *, by: By) -> StateError | None:
        """Say why this reader may not decide on a case that is to be read twice.

        A page asks before it offers decisions. It is no look itself, and leaves no entry.

        Returns: what `decide` and `sign` would raise; None where the double reading, if there is
            one, leaves it to this reader.

        Example:
            >>> refused = assistant.refused_decision(case.id, by="reader-1")
            >>> refused is None or refused.where["double_reading"] == "unfinished"
            True
        """
        return first_reads.refused_decision(self._house, by, case_id)

    def record_first_read(
        self,
        case_id: str,
        *,
        by: By,
        text: str = "",
        findings: Sequence[Add] = (),
        nothing_suspected: bool = False,
        key: str | None = None,
    ) -> FirstRead:
        """Keep what a reader sees in a case before anything read or drafted is shown to them.

        It is never changed. Look at the case with `blind=True` before, and record from that.

        Args:
            text: the impression in the reader's own words.
            findings: findings of the vocabulary, each once, as `Add.of` makes them.
            nothing_suspected: whether the reader suspects nothing; then no finding is claimed.

        Returns: what is kept; its `listed` says whether a worklist may have named to the reader
            before what is suspected.
        Raises: StateError if this reader's is kept, has seen the case otherwise than blind as the
            log says, or would be a third of a double reading, or if the case is signed; InputError
            if nothing is said, or words and findings contradict each other.

        Example:
            >>> assistant.case(case.id, blind=True, by="reader-1")
            >>> seen = [Add.of("Effusion", side=Side.LEFT)]
            >>> assistant.record_first_read(case.id, findings=seen, by="reader-1")
        """
        asked = Asked(by, key)
        return first_reads.record_first_read(
            self._house, asked, case_id, text, findings, nothing_suspected
        )

    def first_reads(self, case_id: str, *, by: By) -> FirstReads:
        """Show who read a case first, and of that what may be shown to this reader.

        One's own is shown always; of a double reading the others' once both have read; else the
        others' to who has read first too, and to all once the case is signed.

        Returns: the readers, the reads that are shown, and the order to read twice, if there is
            one.

        Example:
            >>> found = assistant.first_reads(case.id, by="reader-1")
            >>> [row.finding for row in found.agreement if not row.agree]
        """
        return first_reads.first_reads(self._house, by, case_id)

    def order_double_reading(
        self, case_id: str, *, by: By, adjudicator: By | None = None, key: str | None = None
    ) -> DoubleReading:
        """Have a case read by two readers independently; a third one decides and signs.

        Until both have recorded a first read nobody decides or signs.

        Args:
            adjudicator: who decides then; without one any attending who is none of the two.

        Returns: the order.
        Raises: StateError if it is ordered already, the case is signed, or the adjudicator has read
            it first; InputError if the adjudicator may not sign.

        Example:
            >>> assistant.order_double_reading(case.id, by="attending-1")
        """
        asked = Asked(by, key)
        return first_reads.order_double_reading(self._house, asked, case_id, adjudicator)

    def drop_double_reading(
        self, case_id: str, *, reason: str, by: By, key: str | None = None
    ) -> DoubleReading:
        """Take the order to read a case twice back; first reads that were recorded stay.

        Args:
            reason: why one reading is enough; not empty.

        Returns: the order, with who took it back, when and why.
        Raises: StateError if the case is not to be read twice, or is signed; InputError without a
            reason.

        Example:
            >>> assistant.drop_double_reading(case.id, reason="on leave", by="attending-1")
        """
        return first_reads.drop_double_reading(self._house, Asked(by, key), case_id, reason)

    def teaching_case(self, case_id: str, *, by: By) -> TeachingCase:
        """Show a case to learn from, without who the patient is; one look in the log.

        Name, numbers, dates, record and other identifiers are left out, and images of which it is
        not known that no text is burned into them.

        Returns: the images, the age in years, and beside them what was drafted and signed of each
            finding, for a page to show once the learner has written what they see.
        Raises: StateError if the case has no draft to compare with.

        Example:
            >>> case = assistant.teaching_case(case.id, by="resident-1")
            >>> rows = case.compared_with([Add.of("Edema")])
        """
        return teaching.teaching_case(self._house, by, case_id)

    def to_sign(
        self, case_id: str, *, by: By, decisions: Sequence[Decision] = ()
    ) -> tuple[SignedStatement, ...]:
        """Say what a signature would take now, and keep nothing.

        Args:
            decisions: made besides, for this look alone; of a signed case what `amend` would sign.

        Returns: each statement in the words that the report will hold.
        Raises: StateError if a statement is undecided.

        Example:
            >>> for statement in assistant.to_sign(case.id, by="reader-1"):
            ...     print(statement.section.value, statement.text)
        """
        return deciding.to_sign(self._house, by, case_id, decisions)

    def identity(self, patient_key: str, *, by: By) -> PatientIdentity:
        """Say who a patient key is; the look is an entry of the audit log.

        Args:
            patient_key: as `Study.patient_key` and `CaseSummary` give it.

        Returns: name, birth date, sex and identifiers, as the image states them.

        Example:
            >>> assistant.identity(study.patient_key, by="reader-1").family_name
        """
        return cases.identity(self._house, by, patient_key)

    def render(self, report_id: str, *, format: str = "text", by: By | None = None) -> str:
        """Give a signed report as text, without writing a file.

        Args:
            report_id: as `SignedReport.id` gives it.
            format: `text`, `json`, `fhir` (R4 transaction Bundle), `outcome`: what that Bundle
                lacks to find patient and order, `dicom-outcome`: what DICOM objects lack, or
                `hl7-outcome`: what the HL7 message lacks.

        Returns: the content of the file; JSON for all but `text`.
        Raises: InputError if there is no such format.

        Example:
            >>> print(assistant.render(report.id, by="reader-1"))
        """
        return publishing.render(self._house, by, report_id, format)

    def models(self, *, by: By | None = None) -> tuple[ModelRow, ...]:
        """List the networks of the catalogue, then the adopted models.

        Returns: a row each, which says whether it is here and unaltered.

        Example:
            >>> [row.name for row in assistant.models() if row.state == "ready"]
        """
        return installing.model_rows(self._house, by)

    def model_card(self, name: str, *, by: By | None = None) -> ModelCard:
        """Show one network: its model card, what it was measured to do, how it stands here.

        Args:
            name: as `models` lists it.

        Returns: its row, card, and acceptances.
        Raises: InputError if there is none of this name; IntegrityError if its files were altered.

        Example:
            >>> assistant.model_card("chest-findings").accepted_here
        """
        return installing.model_card(self._house, by, name)

    def capabilities(self, *, by: By | None = None) -> Capabilities:
        """Say what this installation can decode, run and write.

        The language model that the settings name is opened for it.

        Returns: transfer syntaxes, models, the writer of drafts and why it can't write, device,
            database.

        Example:
            >>> assistant.capabilities().device
        """
        return installing.capabilities(self._house, by)

    def readers(self) -> tuple[Reader, ...]:
        """List who may act here: the readers of the settings, or of the directory given.

        Returns: the readers, in the order in which they are offered.

        Example:
            >>> [reader.id for reader in assistant.readers()]
        """
        return self._house.directory.readers()

    def reader_named(self, reader_id: str) -> Reader:
        """Find the reader of this id, compared to the letter.

        Args:
            reader_id: as `Reader.id` gives it.

        Returns: the reader, with the role that decides which verbs are theirs.
        Raises: PermissionDenied if there is none.

        Example:
            >>> reader = assistant.reader_named("reader-1")
        """
        return self._house.calls.reader_named(reader_id)
