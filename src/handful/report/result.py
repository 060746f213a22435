"""What result.json and config.json hold: plain values, nothing drawn."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from handful.core.advice import Decision
from handful.core.ranking import Ranking
from handful.core.records import ClassFigures, Evaluation, Resolved, Run
from handful.core.training import Training
from handful.evaluate import FALSE_ALARMS
from handful.report.cards import looks_dict
from handful.report.folds import cross_dict
from handful.report.leaks import leaks_dict
from handful.report.learning import epochs_done, trainings
from handful.report.next_steps import Step, next_steps
from handful.report.numbers import Confusion, reliability, worst_confusions
from handful.report.provenance import held_out_sha256
from handful.report.reliance import Operating, Reliance, reliance
from handful.report.remarks import remarks
from handful.report.suspects import suspects_dict
from handful.report.text import encodable

N_CONFUSIONS = 15
"""Pairs of classes that are told, the most frequent mistakes first; all are in figures/confusion.csv."""

TEST_READ = "once, after every choice was made"


def result_dict(run: Run) -> dict[str, Any]:
    """Returns the result as plain values: what result.json holds and `handful train --json` prints.

    Ratios are in [0, 1]; what cannot be said (a baseline without training pictures) is NaN here, null in the file.
    """
    figures, split = run.evaluation, run.split
    return {
        "accuracy": figures.accuracy,
        "accuracy_interval": list(figures.accuracy_interval),
        "balanced_accuracy": figures.balanced_accuracy,
        "macro_f1": figures.macro_f1,
        "log_loss": figures.log_loss,
        "log_loss_of_guessing": math.log(len(run.table.classes)),
        "calibration_error": figures.calibration_error,
        "majority_baseline": figures.majority_baseline,
        "n_train": len(split.train),
        "n_validation": len(split.validation),
        "n_test": len(split.test),
        "n_wrong": int((run.test_proba.argmax(axis=1) != run.table.labels[split.test]).sum()),
        "n_skipped": len(run.table.skipped),
        "classes": [encodable(name) for name in run.table.classes],
        "backbone": backbone_name(run),
        "weights": [asdict(used) for used in run.weights],
        "strategy": _resolved(run.strategy),
        "head": [
            {"kind": head.kind, "penalty": head.penalty, "temperature": head.layer.temperature} for head in run.heads
        ],
        "training": [{"backbone": backbone, **_training(training)} for backbone, training in trainings(run).items()],
        "search": None if run.search is None else asdict(run.search),
        "decision": None if run.decision is None else decision_dict(run.decision),
        "ranking": None if run.ranking is None else ranking_dict(run.ranking),
        "trust": reliance_dict(known) if (known := reliance(run)) else None,
        "leaks": leaks_dict(run),
        "suspects": suspects_dict(run),
        "looks": looks_dict(run),
        "held_out": {**(_short(run.held_out) if run.held_out else {"n": 0}), "sha256": held_out_sha256(run)},
        "cross_validation": cross_dict(run),
        "validation": None if run.validation is None else _short(run.validation),
        "seconds": seconds_by_stage(run),
        "versions": dict(run.versions),
        "machine": run.machine,
        "seed": run.seed,
        "command": encodable(run.command),
        "test_read": TEST_READ,
        "split": {"given": run.split.given, "notes": [encodable(note) for note in run.split.notes]},
        "reliability": [{**asdict(point), "interval": list(point.interval)} for point in reliability(run)],
        "per_class": [_class(each) for each in figures.per_class],
        "confusions": [_confusion(pair) for pair in worst_confusions(figures, limit=N_CONFUSIONS)],
        "next_steps": [_step(each) for each in next_steps(run)],
        "remarks": [{"level": each.level, "text": encodable(each.text)} for each in remarks(run)],
        "findings": [{"code": each.code, "message": encodable(each.message)} for each in run.table.findings],
    }


def decision_dict(decision: Decision) -> dict[str, Any]:
    """Returns how the way of transfer was chosen as plain values, by the names of `handful advise --json`."""
    similarity = decision.similarity
    return {
        "case": decision.case,
        "similarity": similarity.value,
        "similarity_interval": list(similarity.interval),
        "divergence": similarity.divergence,
        "n_measured": similarity.n_pictures,
        "n_images": decision.n_images,
        "n_classes": decision.n_classes,
        "n_per_class": decision.n_per_class,
        "plan": asdict(decision.plan),
        "reasons": dict(decision.reasons),
        "evidence": [asdict(piece) for piece in decision.evidence],
        "expects": decision.expects,
        "alternatives": [{"plan": asdict(other.plan), "reason": other.reason} for other in decision.alternatives],
        "command": encodable(decision.command),
        "tries": [asdict(tried) for tried in decision.tries],
    }


def ranking_dict(ranking: Ranking) -> dict[str, Any]:
    """Returns the comparison of networks as plain values, by the names of `handful backbones --rank --json`."""
    return {"best": ranking.best, **asdict(ranking)}


def reliance_dict(known: Reliance) -> dict[str, Any]:
    """Returns what may be relied on as plain values: the rules, what they give for the test part, and the forecasts."""
    rules, growth = known.trust.rules, known.trust.growth
    return {
        "answer": {
            **asdict(rules.answer),
            "answers_needed": known.needed,
            "test": {"answered": asdict(known.answered), "wrong": asdict(known.wrong)},
        },
        "sets": {
            **asdict(rules.sets),
            "test": {"covered": asdict(known.covered), "pictures_by_size": {str(n): of for n, of in known.sizes}},
        },
        "unlike": None if known.unlike is None else {"expected": FALSE_ALARMS, "test": asdict(known.unlike)},
        "one_class": None if known.operating is None else _one_class(known.operating),
        "growth": None if growth is None else asdict(growth),
        "left_out": [encodable(sentence) for sentence in known.trust.left_out],
    }


def config_dict(run: Run) -> dict[str, Any]:
    """Returns every option by name, each with its value and the reason: what config.json holds."""
    return {name: _resolved(option) for name, option in run.options.items()}


def backbone_name(run: Run) -> str:
    """Returns the network's name; several that are averaged are joined by +, each once."""
    return "+".join(dict.fromkeys(used.backbone for used in run.weights))


def head_name(run: Run) -> str:
    """Returns the kind of output layer; several kinds are joined by +."""
    return "+".join(dict.fromkeys(head.kind for head in run.heads))


def seconds_by_stage(run: Run) -> dict[str, float]:
    """Returns seconds by stage, in order, stages of one name added up, with "total" last."""
    spent: dict[str, float] = {}
    for stage in run.stages:
        spent[stage.name] = spent.get(stage.name, 0.0) + stage.seconds
    return {**spent, "total": sum(spent.values())}


def _one_class(operating: Operating) -> dict[str, Any]:
    return {
        "class": encodable(operating.name),
        "area": operating.curve.area,
        "average_precision": operating.curve.average_precision,
        "most_probable": asdict(operating.even),
        "rule": None if operating.rule is None else asdict(operating.rule),
        "chosen": None if operating.chosen is None else asdict(operating.chosen),
    }


def _training(training: Training) -> dict[str, Any]:
    return {
        "epochs": epochs_done(training),
        "updates": len(training.iterations),
        "stopped": training.stopped,
        "best_step": training.best_step,
        "overfits_from": training.overfits_from,
        "failed_at": training.failed_at,
        "seconds": training.seconds,
    }


def _class(figures: ClassFigures) -> dict[str, Any]:
    return {
        "class": encodable(figures.name),
        "n_test": figures.n_test,
        "recall": figures.recall,
        "recall_interval": list(figures.recall_interval),
        "precision": figures.precision,
        "f1": figures.f1,
    }


def _confusion(pair: Confusion) -> dict[str, Any]:
    return {"true": encodable(pair.true), "answer": encodable(pair.predicted), "n": pair.n, "share": pair.share}


def _step(step: Step) -> dict[str, Any]:
    return {
        "about": step.about,
        "text": encodable(step.text),
        "evidence": encodable(step.evidence),
        "numbers": dict(step.numbers),
        "command": encodable(step.command),
    }


def _short(figures: Evaluation) -> dict[str, Any]:
    return {
        "n": figures.n_test,
        "accuracy": figures.accuracy,
        "interval": list(figures.accuracy_interval),
        "log_loss": figures.log_loss,
    }


def _resolved(option: Resolved) -> dict[str, Any]:
    value = encodable(option.value) if isinstance(option.value, str) else option.value
    return {"value": value, "reason": encodable(option.reason)}
