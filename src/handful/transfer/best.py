"""The best classifier that some time allows: a probe first, then trained networks that are averaged, while they gain.

The probe answers after seconds, so that there is an answer whenever the time ends. Then networks are trained from it
(LP-FT, Kumar et al. 2022, arXiv:2202.10054): the lower half of the layer groups stays as it is, and the new output
layer begins where that of a probe ended. Each training leaves another fifth of the training pictures out, on which it
is judged, so that at the end every training picture was answered once by a network that did not see it; the networks
are averaged (bagging, Breiman 1996). What does not gain on the probe is not taken (`judged.choose`).

The test part is not looked at. Under a limit of time a search depends on the machine's speed: it is exempt from the
rule that equal inputs give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from handful.backbones import BackboneSpec
from handful.core.config import TrainConfig
from handful.core.errors import HandfulError, TrainingError
from handful.core.progress import Progress
from handful.core.records import ImageTable, Picture, Resolved, Split
from handful.core.search import Attempt, Search
from handful.evaluate import log_loss
from handful.features import RESAMPLING, VIEWS, FrozenTrunk, Interpolation, Preprocessing, n_missing
from handful.transfer.clock import RESERVE, SLOWER, Time
from handful.transfer.frozen import frozen_trunk
from handful.transfer.hurry import SHORT, FirstProbe, scaled, seconds_each
from handful.transfer.judged import Judged, alike, choose, together
from handful.transfer.layers import N_PARTS, Work, check_layers, train_layers
from handful.transfer.lpft import FEW, training_options
from handful.transfer.model import classify
from handful.transfer.order import N_LAPS, Backbone, Turn, further_probes, turns
from handful.transfer.plan import FeaturePlan, plan_features, taps_to_try, with_options
from handful.transfer.probe import Trained, can_be_tried, train_probe
from handful.transfer.tries import paired
from handful.transfer.unjudged import nothing_judges, train_unjudged

WORTH = 0.5
"""Share of the time that a training took before which has to be left for the next."""

FEWEST_SECONDS = 5.0
"""Less than this is not worth the start of a training."""

TRIED_AT_LEAST, FEWEST_JUDGED = 2, 30
"""Trainings, and pictures that they were judged on, before it is said that training gains nothing."""

VIEWS_SHARE, MOST_VIEWS = 0.25, 8
"""Part of the time that is left for showing changed views to the layers that stay, and the most such views."""

PROBE_SHARE = 0.5
"""Part of the time that is left which a further probe of many pictures may take, so that a training can follow."""

LONGEST_LOOK = 0.5
"""Part of the time that is left which a single view of all pictures may take; beyond, no training is begun."""

OWN = "the search's own"


def train_best(
    table: ImageTable,
    split: Split,
    config: TrainConfig,
    *,
    backbones: Sequence[Backbone],
    time: Time,
    threads: int,
    progress: Progress,
) -> Trained:
    """Returns the best classifier that was found in the time, with the record of the search, if there was one.

    Args:
        table: the data set.
        split: its parts; the test part is not looked at, but its size counts: it takes time to answer.
        config: the options; those that the user gave stand in place of the search's own.
        backbones: networks that may be trained, from `order.candidates`; the first makes the probe.
        time: how long the whole run may take.
        threads: resolved.
        progress: told about the work, and after every step what it gained.
    """
    work = _Searching(table, split, config, threads, progress, time)
    work.check(backbones)
    if nothing_judges(table, split):
        return train_unjudged(table, split, config, backbones=backbones, time=time, threads=threads, progress=progress)
    probes = [work.first_probe(backbones[0])]
    probes += work.more_probes(backbones, probes[0])
    found: list[Judged] = []
    fault = ""
    for turn in turns(backbones, split, n_laps=N_LAPS):
        if ended := work.why_stop(turn, probes, found):
            break
        try:
            found.append(work.fine_tuned(turn, probes, found))
            progress.say(_told(found[-1]))
        except (HandfulError, OSError) as error:
            fault = f"{turn.backbone[0].title} could not be trained: {error}".rstrip(".")
            progress.say(f"{fault}.")
    else:
        ended = work.done if found else fault
    progress.say(f"The search is over: {ended}.")
    answer = choose(probes, alike(found, table.labels), table.labels)
    attempts = tuple(
        replace(each.record, taken=any(each.record is one.record for one in answer)) for each in (*probes, *found)
    )
    search = Search(time.limit, attempts, ended, n_judged=len({int(row) for each in found for row in each.rows}))
    if answer == (probes[0],):
        return replace(probes[0].trained, search=search)
    return together(answer, table, config, search)


@dataclass(frozen=True, slots=True)
class _Searching:
    """What all steps of a search share."""

    table: ImageTable
    split: Split
    config: TrainConfig
    threads: int
    progress: Progress
    time: Time

    def first_probe(self, backbone: Backbone) -> Judged:
        """Returns the probe that there is time for, however short that is."""
        if self.time.limit is None:
            return self.probe(backbone)
        spec, _ = backbone
        train = [self.table.pictures[index] for index in self.split.train]
        trunk = frozen_trunk(backbone, self.config, threads=self.threads, progress=self.progress)
        plan = plan_features(self.config.features, spec, train, held_out_loss=None)
        shown = plan.preprocessing
        first = FirstProbe(
            self.config,
            spec,
            train,
            n_test=len(self.split.test) + len(self.split.validation),
            n_known=self.n_known(trunk, train, plan),
            can_try=can_be_tried(self.table, self.split, seed=self.config.run.seed),
            seconds_each=self.seconds_each(trunk, shown) * scaled(spec.input_size, shown.size),
        )
        options = first.options(self.time.left)
        if options:
            told = ", ".join(f"{name} {value}" for name, value in options.items())
            self.progress.say(f"The time is short for {len(train):,} pictures, so the first probe is lighter: {told}.")
        return self.probe(backbone, options, why=SHORT)

    def n_known(self, trunk: FrozenTrunk, pictures: Sequence[Picture], plan: FeaturePlan) -> int:
        """Returns of how many pictures the disk remembers all that a probe sees, by the way that is known best."""
        ways = [
            (replace(trunk, tap=tap), replace(plan.preprocessing, interpolation=cast(Interpolation, name)))
            for tap in taps_to_try(self.config.features, trunk.spec, len(pictures))
            for name in RESAMPLING
            if self.config.features.interpolation in ("auto", name)
        ]
        least = min(
            n_missing(at_tap, self.table, pictures, preprocessing=preprocessing, views=plan.views)
            for at_tap, preprocessing in ways
        )
        return len(pictures) - min(least, len(pictures))

    def probe(
        self, backbone: Backbone, options: dict[str, Any] | None = None, *, first: Judged | None = None, why: str = OWN
    ) -> Judged:
        """Returns the output layer that is solved for on a network as it is, and says how it compares to the first."""
        began = self.time.spent
        config = with_options(self.config, {"strategy": "features", "head": "auto", **(options or {})})
        trained = train_probe(
            self.table, self.split, config, backbones=(backbone,), threads=self.threads, progress=self.progress
        )
        trained = self._with_reasons(trained, options or {}, why)
        if len(self.split.validation):
            pictures = [self.table.pictures[index] for index in self.split.validation]
            proba = classify(
                trained.model, self.table, pictures, threads=self.threads, progress=self.progress, use_cache=True
            )
            trained = replace(trained, held_out=self.split.validation, held_out_proba=proba)
        judged = self._judged("probe", trained, began=began, first=first)
        self.progress.say(_told(judged))
        has_typical_settings = not trained.heads[0].judged.any()
        return alike([judged], self.table.labels)[0] if has_typical_settings else judged

    def more_probes(self, backbones: Sequence[Backbone], first: Judged) -> Iterator[Judged]:
        """Yields further probes while there is time for them: where pictures are many, for a training after each."""
        train = self.split.train
        are_few = len(train) <= FEW
        ways = further_probes(backbones, are_few=are_few, side=self.side, is_size_given="size" in self.config.given)
        made = [first]
        for backbone, options in ways:
            last = made[-1]
            (member,) = last.trained.model.members
            as_long = max(last.record.seconds, len(train) * last.seconds_each)  # the disk may have known the last one
            size = options.get("size", self.config.features.size or backbone[0].input_size)
            views = VIEWS[options["views"]] if "views" in options else member.views
            growth = scaled(size, last.record.size) * len(views) / len(member.views)
            needed = max(as_long * max(growth, 1.0), FEWEST_SECONDS)
            if self.left(made) * (1.0 if are_few else PROBE_SHARE) < needed:
                return
            made.append(self.probe(backbone, options, first=first))
            yield made[-1]

    def why_stop(self, turn: Turn, probes: Sequence[Judged], found: Sequence[Judged]) -> str:
        """Returns why nothing more is tried, or nothing."""
        rows = np.concatenate([each.rows for each in found]) if found else np.array([], dtype=np.int64)
        if len(found) >= TRIED_AT_LEAST and len(rows) >= FEWEST_JUDGED:
            labels = self.table.labels
            proba = np.concatenate([each.proba for each in found])
            right, base = (answers.argmax(axis=1) == labels[rows] for answers in (proba, probes[0].answers(rows)))
            if sum(paired(right, base)) <= 0.0:
                return f"training layers gained nothing on {len(rows)} held-out pictures"
        spec = turn.backbone[0]
        size = self.config.features.size or self.options(spec, lap=turn.lap)["size"]
        if not found:
            (member,) = probes[0].trained.model.members
            each = probes[0].seconds_each / len(member.views)
            look = each * scaled(size, probes[0].record.size) * len(self.split.train)
            needed = max(look / LONGEST_LOOK, FEWEST_SECONDS)
        else:
            last = found[-1].record
            if turn.lap and ("size" in self.config.given or size <= self.options(spec, lap=turn.lap - 1)["size"]):
                return self.done
            needed = max(WORTH * last.seconds * (size / last.size) ** 2, FEWEST_SECONDS)
        if self.left([*probes, *found]) < needed:
            return "the rest of the time is too short for another training"
        return ""

    @property
    def done(self) -> str:
        """What was done when nothing is left to do."""
        return "every network was trained" if len(self.split.validation) else "every part of the pictures was left out"

    def after(self, made: Sequence[Judged]) -> float:
        """Returns the seconds that are needed after the search: answers of all for the test part, and the report."""
        return RESERVE + SLOWER * len(self.split.test) * sum(each.seconds_each for each in made)

    def fine_tuned(self, turn: Turn, probes: Sequence[Judged], found: Sequence[Judged]) -> Judged:
        """Returns a network whose upper layers were trained without a part of the pictures.

        Raises:
            DataError: no picture can be spared to be left out.
            TrainingError: the loss was no longer a number, or the time is too short.
        """
        began, made = self.time.spent, [*probes, *found]
        chosen = probes[0].trained.options["interpolation"]
        options = self.options(turn.backbone[0], lap=turn.lap) | {"interpolation": chosen.value}
        options["augmented_views"] = self.n_views(turn.backbone, with_options(self.config, options), made)
        trained = train_layers(
            self.table,
            self.split,
            with_options(self.config, options),
            backbone=turn.backbone,
            threads=self.threads,
            progress=self.progress,
            part=turn.part,
            left=None if self.time.limit is None else lambda: self.left(made),
        )
        own = {name: value for name, value in options.items() if name not in ("strategy", "head", "interpolation")}
        trained = self._with_reasons(trained, own, OWN)
        trained = replace(trained, options={**trained.options, "interpolation": chosen})
        return self._judged("fine-tuning", trained, began=began, first=probes[0])

    def _with_reasons(self, trained: Trained, options: Mapping[str, Any], why: str) -> Trained:
        """Returns what was trained, with the reason of the options that the user did not give."""
        own = {name: Resolved(value, why) for name, value in options.items() if name not in self.config.given}
        return replace(trained, options={**trained.options, **own})

    def check(self, backbones: Sequence[Backbone]) -> None:
        """Raises ConfigError where a training could not begin with the options that the user gave."""
        for spec, _ in backbones:
            config = with_options(self.config, self.options(spec))
            check_layers(config, spec, n_classes=len(self.table.classes))

    def options(self, spec: BackboneSpec, *, lap: int = 0) -> dict[str, Any]:
        """Returns the options of a training, where the user gives no others."""
        options = training_options(spec, n_images=len(self.split.train), side=self.side, lap=lap)
        if self.config.given & {"keep", "patience"}:
            del options["every"]
        return options

    @property
    def side(self) -> float:
        """The median of the pictures' shorter sides, in pixels."""
        pictures = [self.table.pictures[index] for index in self.split.train]
        return float(np.median([min(each.width, each.height) for each in pictures]))

    def left(self, made: Sequence[Judged]) -> float:
        """Returns the seconds that a step may take: less its own answers, for which the slowest so far stand."""
        slowest = max(made, key=lambda each: each.seconds_each)
        judging = SLOWER * len(self.split.train) / N_PARTS * slowest.seconds_each
        return self.time.left - self.after([*made, slowest]) - judging

    def seconds_each(self, trunk: FrozenTrunk, preprocessing: Preprocessing) -> float:
        """Returns the seconds that a network takes for a picture, once it is open."""
        train = [self.table.pictures[index] for index in self.split.train]
        return seconds_each(trunk, self.table, train, preprocessing, threads=self.threads)

    def n_views(self, backbone: Backbone, config: TrainConfig, made: Sequence[Judged]) -> int:
        """Returns how many changed views of every picture the layers that stay are shown, as the time allows.

        Raises:
            TrainingError: not even one.
        """
        if self.time.limit is None:
            return MOST_VIEWS
        trunk = frozen_trunk(backbone, config, threads=self.threads, progress=self.progress)
        plan = Work(self.table, self.split, config, *backbone, self.threads, self.progress).plan()
        seconds = self.seconds_each(trunk, plan.preprocessing) * len(self.split.train)
        left = self.left(made)
        if seconds > LONGEST_LOOK * left:
            raise TrainingError(f"the rest of the time is too short to show {backbone[0].title} the pictures")
        return min(max(int(VIEWS_SHARE * left / seconds), 1), MOST_VIEWS)

    def _judged(self, what: str, trained: Trained, *, began: float, first: Judged | None = None) -> Judged:
        """Returns what was made with its figures on the pictures that were held out of it."""
        rows, proba = trained.held_out, trained.held_out_proba
        (member,) = trained.model.members
        labels = self.table.labels[rows]
        right = proba.argmax(axis=1) == labels
        difference, standard_error = None, None
        if first is not None:
            difference, standard_error = paired(right, first.answers(rows).argmax(axis=1) == labels)
        each = self.seconds_each(member.trunk, member.preprocessing) if self.time.limit is not None else 0.0
        spent = self.time.spent
        record = Attempt(
            what=what,
            backbone=member.trunk.spec.name,
            size=member.preprocessing.size,
            n_held_out=len(rows),
            accuracy=float(right.mean()),
            loss=log_loss(proba, labels),
            difference=difference,
            standard_error=standard_error,
            taken=False,
            seconds=spent - began,
            at=spent,
        )
        return Judged(trained, record, each * len(member.views))


def _told(judged: Judged) -> str:
    """Returns what came of an attempt, in a line."""
    record, title = judged.record, judged.trained.model.members[0].trunk.spec.title
    made = f"a probe of {title}" if record.what == "probe" else f"{title} fine-tuned"
    right = f"{100 * record.accuracy:.1f} % of {record.n_held_out:,} held-out pictures right"
    line = f"After {record.at:.0f} s: {made}: {right}"
    if record.difference is None or record.standard_error is None:
        return f"{line}."
    return (
        f"{line}, {100 * record.difference:+.1f} points (standard error {100 * record.standard_error:.1f}) on the "
        "first probe."
    )
