"""The result in a few plain lines."""

from __future__ import annotations

from handful.core.records import Run
from handful.core.search import Search
from handful.report.folds import cross_line
from handful.report.learning import epochs_done
from handful.report.next_steps import next_steps
from handful.report.numbers import held_out_noun, n_held_out
from handful.report.remarks import LICENCE, majority_class, remarks
from handful.report.result import backbone_name, head_name, seconds_by_stage
from handful.report.text import counted, lowered, percent, percent_range, printable, seconds


def summary(run: Run) -> str:
    """Returns the result in 3 to 6 lines for the terminal; the first can stand alone.

    How its network and its way were chosen, folds, labels and what to do next take one more line each. The lines hold
    no markup and no control characters, whatever the classes are called.
    """
    figures = run.evaluation
    lines = [
        f"{headline(run)}; always answering '{majority_class(run)}' would give {percent(figures.majority_baseline)}.",
        f"Balanced accuracy {percent(figures.balanced_accuracy)}, log loss {figures.log_loss:.3f}; {_held_out(run)}.",
        f"{counted(len(run.table.classes), 'class', 'classes')}, {_method(run)}, "
        f"{seconds(seconds_by_stage(run)['total'])}.",
        *_trained(run),
    ]
    most = 6
    if run.ranking:
        lines.append(f"Network {run.ranking.best}: {printable(run.ranking.reason)}.")
        most += 1
    if run.decision:
        lines.append(f"Strategy {run.strategy.value}: {printable(run.strategy.reason)}.")
        most += 1
    if run.search:
        lines.append(search_line(run.search))
        most += 1
    if run.table.skipped:
        lines.append(f"{counted(len(run.table.skipped), 'file')} skipped; skipped.csv says why.")
    if run.trust and run.trust.cross:
        lines.append(cross_line(run.trust.cross))
        most += 1
    if suspects := run.trust.suspects if run.trust else ():
        lines.append(
            f"{counted(len(suspects), 'label')} of {counted(n_held_out(run), held_out_noun(run))} "
            f"{'is' if len(suspects) == 1 else 'are'} doubtful; suspects.csv has them, the likeliest to be wrong first."
        )
        most += 1
    licences = [remark.text for remark in remarks(run) if remark.about == LICENCE]
    lines += licences
    most += len(licences)
    lines.append(f"Next: {'; '.join(lowered(step.text) for step in next_steps(run))}.")
    most += 1
    warnings = [remark.text for remark in remarks(run) if remark.level == "warning"]
    lines.extend(f"Warning: {text}" for text in warnings[: most - len(lines)])
    return "\n".join(lines)


def headline(run: Run) -> str:
    """Returns "91.2 % of 125 test pictures right (95 % interval 85.1 to 95.0 %)"."""
    figures = run.evaluation
    return (
        f"{percent(figures.accuracy)} of {counted(figures.n_test, 'test picture')} right "
        f"(95 % interval {percent_range(figures.accuracy_interval)})"
    )


def _held_out(run: Run) -> str:
    """Returns what the held-out pictures say, in a clause."""
    if run.held_out is None:
        return "no training picture could be held out"
    return (
        f"{percent(run.held_out.accuracy)} of the {counted(run.held_out.n_test, held_out_noun(run))} right when held "
        "out"
    )


def search_line(search: Search) -> str:
    """Returns what the time was spent on, and what it brought, in a line."""
    probe, gain = search.attempts[0], search.gain
    probes = [each for each in search.attempts if each.what == "probe"]
    whose = f"The first of {len(probes)} probes" if len(probes) > 1 else "A probe"
    line = f"{whose} had {percent(probe.accuracy)} right when held out"
    if gain is not None:
        taken = sum(each.taken for each in search.trained)
        fate = f"{taken} of them averaged" if taken > 1 else "and one was taken" if taken else "and none was taken"
        points = f"{100 * gain[0]:+.1f} points (standard error {100 * gain[1]:.1f})"
        line += f"; {counted(len(search.trained), 'training')} then brought {points} on the same pictures, {fate}"
    if len(probes) > 1:
        line += f"; {counted(sum(each.taken for each in probes), 'probe')} in the answer"
    return f"{line}. It ended because {printable(search.ended)}."


def _method(run: Run) -> str:
    """Returns "efficientnet-lite0 frozen, ridge head", or the way in which its layers were trained."""
    if run.training:
        return f"{backbone_name(run)}, strategy {run.strategy.value}"
    return f"{backbone_name(run)} frozen, {head_name(run)} head"


def _trained(run: Run) -> list[str]:
    """Returns one line on how the layers were trained, where they were."""
    if not run.training:
        return []
    epochs = " + ".join(f"{epochs_done(training):,}" for training in run.training)
    stopped = "; ".join(dict.fromkeys(printable(training.stopped) for training in run.training))
    noun = "epoch" if epochs == "1" else "epochs"
    return [f"Trained {epochs} {noun} in {seconds(sum(each.seconds for each in run.training))}; stopped: {stopped}."]
