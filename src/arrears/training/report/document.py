"""The comparison as one JSON document: every number, nothing drawn."""

from collections.abc import Mapping
from typing import Any

from arrears.scoring.unscored import Unscored
from arrears.training.report.curves import Curve
from arrears.training.report.curves import plain as plain_curves
from arrears.training.report.drift import Drift, Place
from arrears.training.report.sides import widest
from arrears.training.report.study import Group, Section, Study, Versus
from arrears.training.report.tables import plain
from arrears.training.report.words import findings, lead


def document_of(
    study: Study,
    drifts: Mapping[Place, Drift | Unscored],
    curves: Mapping[str, Mapping[str, Curve]],
) -> dict[str, Any]:
    """Plain values. Shares and differences of shares are fractions, KL is in nats."""
    compared = study.compared
    last = compared.after[-1]
    return {
        "lead": lead(study),
        "findings": findings(study, drifts),
        "reward_weights": {
            "quality": study.weights.agreement,
            "experience": study.weights.experience,
        },
        "before": compared.before.name,
        "after": [line.name for line in compared.after],
        "collectors": {
            line.name: {"spec": line.spec, "run": str(line.run.path)} for line in compared.lines
        },
        "suites": {
            section.title: {
                "suite": section.suite,
                "debtor_seat": section.seat,
                "debtors": len({key.debtor for key in section.keys}),
                "talks": len(section.keys),
                "after": {v.name: _versus(section, v, drifts) for v in section.versus},
            }
            for section in study.sections
        },
        "curves": plain_curves(curves),
        "talks": {
            "after": last.name,
            "pairs": [
                {**gap.key._asdict(), "before": gap.before, "after": gap.after}
                for gap in widest(study, last)
            ],
        },
    }


def _versus(
    section: Section, versus: Versus, drifts: Mapping[Place, Drift | Unscored]
) -> dict[str, Any]:
    found = drifts[versus.name, section.suite, section.seat]
    return {
        "failures": versus.failures._asdict(),
        "metrics": _group(versus.main),
        "other_metrics": _group(versus.other),
        "given_away": _group(versus.given),
        "categories": {name: _group(group) for name, group in versus.categories.items()},
        "kl": {"unscored": found.reason} if isinstance(found, Unscored) else found._asdict(),
    }


def _group(group: Group) -> dict[str, Any]:
    return {m.key: plain(group.changes[m.key], m) for m in group.measures}
