"""The training loop: steps, checkpoints, stops that lose nothing, and going on from there."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress

from medmm.domain.errors import ConfigError, InputError
from medmm.files import sha256_of
from medmm.training.loop import precision
from medmm.training.loop import state as state
from medmm.training.loop.average import Average
from medmm.training.loop.lora import merged
from medmm.training.loop.objective import Batch, Objective
from medmm.training.loop.options import LoopOptions
from medmm.training.loop.parameter_groups import checkpointed, optimizer_of, ready, to_train
from medmm.training.loop.run_log import Journal, Row
from medmm.training.loop.sharding import Processes, gathered
from medmm.training.loop.signals import Stop, bar_of, signals

__all__ = ["FitResult", "LoopOptions", "fit", "merged"]
Validate = Callable[[Any], dict[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """Steps done in all, whether a signal asked to stop, and the log (as in log.jsonl)."""

    steps: int
    stopped: bool
    log: list[Row]


def fit(
    model: Any,
    train: Sequence[Any],
    objective: Objective,
    options: LoopOptions,
    run_dir: Path,
    *,
    validate: Validate | None = None,
    quiet: bool = False,
    name: str = "train",
    inputs: Mapping[str, Path] | None = None,
) -> FitResult:
    """Train `model` in place from where `run_dir` stands; leave it in eval mode.

    It stays on the device where it lies.

    Each part of a step's loss is the mean over what teaches it, however the step is cut into
    batches and shares. On a CPU a run that was cut off and went on gives the same bits as one that
    was not. SIGINT or SIGTERM finishes the step, saves and returns; a second one acts at once.
    Torch's, NumPy's and Python's random generators are started from the seed. Among several
    processes (torchrun; `accelerate launch` on GPUs) all must call, `validate` gets the sharded
    model and must call it as often in each; every process ends with the whole model.

    Args:
        objective: what is learned, and how examples become a batch.
        validate: the model to figures, after every `validate_every` epochs and the last; it cannot
            change how the training goes on. With `average` it gets the averaged weights, as the
            caller does in the end.
        inputs: the tables the examples come from; a run goes on with these alone.
    Raises: StateError to go on with other options, settings or data, IntegrityError for an altered
        run folder, ConfigError for options this model cannot have and for a loss that is not a
        number, InputError without examples or labels.
    """
    if not len(train):
        raise InputError(
            "no examples to learn from", remedy="look at the training table and its splits"
        )
    processes = Processes.here(model, options.shard)
    chosen = precision.chosen(options.precision, processes.device)
    ready(model, options, whole_fp32=chosen == "fp32" or processes.world > 1)
    tables = {label: sha256_of(path) for label, path in (inputs or {}).items()}
    deciding = {**options.deciding(), **objective.settings}
    run = state.run_of(deciding, len(train), state.digest_of_frozen(model), tables)
    checkpoint = state.load(run_dir, run)
    if checkpoint is not None:
        state.restore(checkpoint, state.moving(model, objective.still))
    loop = _Loop(
        model=model,
        train=train,
        objective=objective,
        options=options,
        run_dir=run_dir,
        processes=processes,
        precision=chosen,
        identity=run,
        checkpoint=checkpoint,
        validate=validate,
        name=name,
    )
    try:
        with signals() as stop, bar_of(quiet or processes.rank > 0) as bar:
            stopped = loop.run(stop, bar)
        loop.finish(model, stopped)
    finally:
        loop.journal.close()
    return FitResult(steps=loop.place.step, stopped=stopped, log=loop.journal.rows)


@dataclass(kw_only=True)
class _Loop:
    """One run in one process: what `fit` was given, and what is made ready of it."""

    model: Any
    train: Sequence[Any]
    objective: Objective
    options: LoopOptions
    run_dir: Path
    processes: Processes
    precision: str
    identity: dict[str, Any]
    checkpoint: InitVar[state.Checkpoint | None]
    validate: Validate | None
    name: str
    place: state.RunPlace = field(default_factory=state.RunPlace)

    def __post_init__(self, checkpoint: state.Checkpoint | None) -> None:
        self.model = self.processes.to_train(self.model)
        if self.options.gradient_checkpointing:
            checkpointed(self.model, True)
        self.moving = state.moving(self.model, self.objective.still)
        self.optimizer = optimizer_of(self.model, self.options)
        self.average = (
            None if self.options.average is None else Average(self.moving, self.options.average)
        )
        if checkpoint is not None:
            self.place = checkpoint.place
            state.restore_optimizer(checkpoint, self.moving, self.optimizer)
            if self.average is not None:
                state.put(self.average.kept, checkpoint.average)
        rank, device = self.processes.rank, self.processes.device
        state.seed_everything(self.options.seed + self.place.step + rank)
        if checkpoint is not None and len(checkpoint.random_states) == self.processes.world:
            state.set_random_state(checkpoint.random_states[rank], device)
        self.journal = Journal(self.run_dir, self.name, self.place, self.processes)
        self.per_step = self.options.batch * self.options.accumulate
        self.steps_an_epoch = math.ceil(len(self.train) / self.per_step)

    def run(self, stop: Stop, bar: Progress) -> bool:
        """Take all steps that are left; return whether a signal stopped it."""
        options, place = self.options, self.place
        task = bar.add_task(
            self.journal.name,
            total=options.epochs * self.steps_an_epoch,
            completed=place.step,
            loss="",
        )
        while place.epoch < options.epochs:
            order = self._order(place.epoch)
            while place.in_epoch < self.steps_an_epoch:
                begin = place.in_epoch * self.per_step
                stopping, loss = self._step(order[begin : begin + self.per_step], stop)
                bar.update(task, completed=place.step, loss=f"loss {loss:.4g}")
                if stopping or place.step % options.save_every == 0:
                    self._save()
                if stopping:
                    return True
            self._end_epoch()
            self._save()
            if self.processes.total([stop.asked])[0]:
                return True
        return False

    def _order(self, epoch: int) -> list[int]:
        generator = torch.Generator().manual_seed(self.options.seed * 1_000_003 + epoch)
        return [int(i) for i in torch.randperm(len(self.train), generator=generator)]

    def _step(self, rows: list[int], stop: Stop) -> tuple[bool, float]:
        """Learn from the examples of one step; return whether to stop, and the loss.

        Any process may have been asked to stop.
        """
        began, place = time.monotonic(), self.place
        to_train(self.model, self.objective.still)
        share = self.options.share_of_rate(place.step, self.options.epochs * self.steps_an_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * share
        self.optimizer.zero_grad()
        counted = [
            self._batch(rows[i : i + self.options.batch])
            for i in range(0, len(rows), self.options.batch)
        ]
        totals = self.processes.total(
            [sum(column) for column in zip(*(counts for _, counts in counted), strict=True)]
        )
        parts = [self._learn(batch, counts, totals) for batch, counts in counted]
        *losses, asked = self.processes.total(
            [*(sum(column) for column in zip(*parts, strict=True)), stop.asked]
        )
        norm = self._clip()
        if not all(map(math.isfinite, (*losses, norm))):
            raise ConfigError(
                f"the loss or its gradient is not a number at step {place.step + 1}",
                remedy="lower the learning rate, or look for absurd values in the examples",
                order=", ".join(map(str, rows[:8])),
            )
        self.optimizer.step()
        place.step, place.in_epoch = place.step + 1, place.in_epoch + 1
        if self.average is not None:
            self.average.follow(self.moving, place.step)
        seconds = time.monotonic() - began
        place.seconds += seconds
        self._note(losses, totals, len(rows), seconds)
        return asked > 0, losses[0]

    def _batch(self, rows: list[int]) -> tuple[Batch, tuple[int, ...]]:
        """Return this process's share of a batch, and how much of it teaches each part.

        Without a share there is nothing.
        """
        share = self.processes.share(rows)
        batch = self.objective.batch([self.train[i] for i in share or rows[:1]])
        counts = self.objective.counts(batch)
        on_device = {
            key: value.to(self.processes.device)
            for key, value in batch.items()
            if value is not None
        }
        return on_device, counts if share else (0,) * len(counts)

    def _learn(self, batch: Batch, counts: tuple[int, ...], totals: Sequence[float]) -> list[float]:
        """Add a batch to the gradients; return its share of the loss and of each of its parts."""
        with precision.autocast(self.processes.device, self.precision):
            costs = self.objective.costs(self.model, batch)
        shares = [
            count / total if total else 0.0 for count, total in zip(counts, totals, strict=True)
        ]
        parts = [
            torch.zeros((), device=self.processes.device) if part is None else part * share
            for part, share in zip(costs.parts, shares, strict=True)
        ]
        loss = torch.stack(
            [weight * part for weight, part in zip(costs.weights, parts, strict=True)]
        ).sum()
        if self.processes.world > 1:
            # All go backward together, taught by their shares or not
            loss = loss + 0 * costs.output
        if loss.requires_grad:
            # Shards take the mean over processes, the step wants the sum
            (loss * self.processes.world).backward()
        return [float(value.detach()) for value in (loss, *parts)]

    def _clip(self) -> float:
        """Clip the gradients; return their norm.

        What a step did not use has a gradient of zero, sharded or not.
        """
        parameters = [tensor for tensor in self.moving.values() if tensor.requires_grad]
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.options.clip_norm)
        return float(gathered({"norm": norm})["norm"])

    @property
    def _losses(self) -> tuple[str, ...]:
        return ("loss", *self.objective.parts)

    def _note(
        self, losses: Sequence[float], totals: Sequence[float], examples: int, seconds: float
    ) -> None:
        """Add a step to what the next rows of the log say."""
        taught = (True, *(total > 0 for total in totals))
        values = {
            key: value for key, value, yes in zip(self._losses, losses, taught, strict=True) if yes
        }
        for sums in self.place.sums.values():
            for key, value in {**values, "examples": float(examples), "seconds": seconds}.items():
                total, count = sums.get(key, [0.0, 0])
                sums[key] = [total + value, count + 1]
        if self.place.step % self.options.log_every == 0:
            self._row("steps", {})

    def _row(self, kind: str, more: Row) -> None:
        place, sums = self.place, self.place.sums[kind]
        means = {key: sums[key][0] / sums[key][1] if key in sums else None for key in self._losses}
        steps = self.options.epochs * self.steps_an_epoch
        rate = self.options.learning_rate * self.options.share_of_rate(place.step - 1, steps)
        speed = sums["examples"][0] / max(sums["seconds"][0], 1e-9)
        place.sums[kind] = {}
        place.rows += 1
        self.journal.add(
            {
                "kind": kind,
                "step": place.step,
                "epoch": place.epoch + 1,
                **means,
                "learning_rate": rate,
                "examples_per_second": round(speed, 3),
                **more,
            }
        )

    def _end_epoch(self) -> None:
        more: Row = {}
        epochs = self.place.epoch + 1
        if self.validate is not None and (
            epochs % self.options.validate_every == 0 or epochs == self.options.epochs
        ):
            before = state.random_state(self.processes.device)
            with (
                self.average.shown(self.moving) if self.average else nullcontext(),
                torch.no_grad(),
            ):
                scores = self.validate(self.model.eval())
            state.set_random_state(before, self.processes.device)
            finite = {
                key: float(score) if math.isfinite(score) else None for key, score in scores.items()
            }
            more = {"validation": finite}
        self._row("epoch", more)
        self.place.epoch, self.place.in_epoch = self.place.epoch + 1, 0
        self.journal.draw(self._said())

    def _save(self) -> None:
        average = self.average.kept if self.average else None
        state.save(
            self.run_dir,
            self.identity,
            self.place,
            self.moving,
            self.optimizer,
            average,
            self.processes,
        )

    def _said(self) -> str:
        place, all_steps = self.place, self.options.epochs * self.steps_an_epoch
        return (
            f"Step {place.step} of {all_steps}, {place.seconds:.0f} s of training, "
            f"{len(self.train)} examples."
        )

    def finish(self, model: Any, stopped: bool) -> None:
        """Give the caller's model what was learned, and write curves and manifest."""
        if self.average is not None:
            state.put(self.moving, self.average.kept)
        if self.processes.world > 1:
            state.put(state.moving(model, self.objective.still), gathered(self.moving))
        elif self.options.gradient_checkpointing:
            checkpointed(model, False)
        model.eval()
        self.journal.draw(self._said())
        self.journal.finish(
            {
                "options": self.options.as_json(),
                "options_sha256": state.digest(self.options.as_json()),
                "settings": dict(self.objective.settings),
                "inputs": self.identity["inputs"],
                "examples": len(self.train),
                "steps": self.place.step,
                "stopped": stopped,
                "seconds": round(self.place.seconds, 1),
                "device": self.processes.device.type,
                "processes": self.processes.world,
                "precision": self.precision,
                "threads": torch.get_num_threads(),
            }
        )
