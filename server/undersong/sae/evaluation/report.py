"""Evaluations as one page of HTML that needs nothing else: tables, and plots as inline SVG.

It has no script and may fetch nothing: its own policy forbids that to a browser. What a plot shows stands in a table
too, for those who read without seeing it; tables wider than the page scroll by keyboard.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from undersong.sae.evaluation.absorption import KNOWN, PROBE_F1
from undersong.sae.evaluation.estimates import Estimate
from undersong.sae.evaluation.measure import DENSE
from undersong.sae.evaluation.plots import Bin, Point, binned, histogram, scatter
from undersong.sae.evaluation.record import Evaluation

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1e; --faint: #66666c; --line: #d8d8dc; --mark: #2f6f8f; --page: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eee; --faint: #a2a2a8; --line: #3a3a3e; --mark: #7fc4e3; --page: #161618; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 70rem;
  margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } .wide { overflow-x: auto; }
th, td { padding: .2rem .8rem .2rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; } tbody th { font-weight: 400; }
:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
figure { margin: 0; } small, .label { color: var(--faint); fill: var(--faint); }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; } svg { width: 420px; max-width: 100%; }
.bar, .dot { fill: var(--mark); } .axis { stroke: var(--line); } .front { fill: none; stroke: var(--mark); }
summary { color: var(--faint); font-size: 12px; cursor: pointer; } .label { font-size: 10px; }
.title { font-size: 12px; font-weight: 600; fill: var(--ink); }
"""

_MEANING = (
    "Means over all tokens but special ones; after ± one standard error (jackknife over texts). Explained variance: "
    "1 − mean squared error / total variance; legacy: mean of the per-token ratios, as older tables report. CE score: "
    "(zeros − SAE) / (zeros − model) of the cross-entropies in nats; KL score alike. Bias: below 1, reconstructions "
    "are too short (shrinkage). Dead: never active in what was read; little text finds many dead (10 million tokens "
    "are usual). The last columns: features active on more than that share of the tokens. Definitions are those of "
    "sae_lens' evals."
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_COLUMNS = ("L0", "explained variance", "legacy", "CE score", "KL score", "cosine", "bias", "dead")


def html(evaluations: Sequence[Evaluation]) -> str:
    """The page. The first evaluation's model names it."""
    model = evaluations[0].model if evaluations else ""
    body = [
        f"<h1>Sparse autoencoders of {escape(model)}</h1>",
        _table(
            "All SAEs",
            ("SAE", "features", "read", *_COLUMNS, *(f"on > {share:.0%}" for share in DENSE)),
            map(_row, evaluations),
        ),
        f"<p><small>{_MEANING}</small></p>",
    ]
    compared = [
        Point(each.measured.fidelity.l0.value, each.measured.behaviour.ce_loss_score.value, each.name)
        for each in evaluations
        if each.measured.behaviour
    ]
    if len(compared) > 1:
        body.append(f'<div class="plots">{scatter("Sparser or truer", "L0", "CE score", compared)}</div>')
    body += [_section(each) for each in evaluations]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>Sparse autoencoders of {escape(model)}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _section(evaluation: Evaluation) -> str:
    config, measured = evaluation.config, evaluation.measured
    place = config.hook_name + (f" → {config.hook_out}" if config.hook_out else "")
    parts = [
        f"<h2>{escape(evaluation.name)}</h2>",
        f"<p>{escape(config.architecture)}, {config.d_sae} features of {escape(place)}, "
        f"texts of {evaluation.context} tokens{' that begin with BOS' if config.prepend_bos else ''}</p>",
        '<div class="plots">',
        _histogram(
            "How often features are active",
            "log10 of the share of tokens (never: the first bar)",
            [math.log10(value) if value > 0 else -7.0 for value in measured.features.density.tolist()],
            -7.0,
            0.0,
        ),
        _histogram("Encoder against decoder", "cosine", measured.features.cosine.tolist(), -1.0, 1.0),
        _histogram(
            "Largest activations",
            "log10",
            [math.log10(value) for value in measured.features.maximum.tolist() if value > 0],
            -3.0,
            4.0,
        ),
        "</div>",
        _figures(evaluation),
        _probes(evaluation),
        _absorption(evaluation),
        _sensitivity(evaluation),
    ]
    parts += [f"<p><small>{escape(note)}</small></p>" for note in evaluation.notes]
    return "".join(parts)


def _histogram(title: str, axis: str, values: Sequence[float], low: float, high: float) -> str:
    bins = binned(values, low, high)
    details = f"<details><summary>its numbers</summary>{_counts(title, axis, bins)}</details>"
    return f"<figure>{histogram(title, axis, bins)}{details}</figure>"


def _counts(title: str, axis: str, bins: Sequence[Bin]) -> str:
    rows = ((f"{each.low:.3g} to {each.high:.3g}", str(each.count)) for each in bins if each.count)
    return _table(title, (axis, "features"), rows)


def _row(evaluation: Evaluation) -> tuple[str, ...]:
    fidelity, behaviour, measured = evaluation.measured.fidelity, evaluation.measured.behaviour, evaluation.measured
    return (
        evaluation.name,
        str(evaluation.config.d_sae),
        counted(evaluation),
        _number(fidelity.l0),
        _number(fidelity.explained_variance),
        _number(fidelity.explained_variance_legacy),
        _number(behaviour.ce_loss_score) if behaviour else "",
        _number(behaviour.kl_div_score) if behaviour else "",
        _number(fidelity.cossim),
        _number(fidelity.relative_reconstruction_bias),
        f"{measured.dead:.1%}",
        *(f"{share:.1%}" for share in measured.dense),
    )


def _figures(evaluation: Evaluation) -> str:
    fidelity, behaviour = evaluation.measured.fidelity, evaluation.measured.behaviour
    rows = [
        ("L1 of the activations", _number(fidelity.l1)),
        ("squared error a token", _number(fidelity.mse)),
        (
            "length of what is read, of its reconstruction",
            f"{_number(fidelity.l2_norm_in)}; {_number(fidelity.l2_norm_out)}",
        ),
        ("ratio of the lengths", _number(fidelity.l2_ratio)),
    ]
    if evaluation.config.published_l0 is not None:
        rows.append(("L0 that its makers state", f"{evaluation.config.published_l0:.4g}"))
    if behaviour:
        rows += [
            ("cross-entropy in nats: the model", _number(behaviour.ce_loss_without_sae)),
            ("… with the reconstruction", _number(behaviour.ce_loss_with_sae)),
            ("… with zeros", _number(behaviour.ce_loss_with_ablation)),
            ("KL in nats with the reconstruction", _number(behaviour.kl_div_with_sae)),
            ("… with zeros", _number(behaviour.kl_div_with_ablation)),
        ]
    return _table("Further figures", ("further figures", "mean ± error"), rows)


def _probes(evaluation: Evaluation) -> str:
    if not evaluation.probes:
        return ""
    rows = (
        (
            each.task,
            f"{each.k} {each.of}" if each.k else "the whole residual stream",
            f"{each.accuracy:.1%}",
            f"{each.f1:.3f}",
            f"{each.auc:.3f}",
            f"{each.base:.1%}",
            ", ".join(map(str, each.chosen)) if each.of == "features" else "",
        )
        for each in evaluation.probes
    )
    head = ("task", "probe of", "accuracy", "F1", "AUC", "base", "features")
    return "<h3>Sparse probing</h3>" + _table("Sparse probing", head, rows)


def _absorption(evaluation: Evaluation) -> str:
    found = evaluation.absorption
    if found is None:
        return ""
    if not found.measured:
        return (
            f"<h3>Absorption</h3><p>The model spells too badly to tell: probes know {len(found.letters)} of "
            f"{found.tried} first letters (F1 above {PROBE_F1}; mean {found.probe_f1:.2f}), {KNOWN:.0%} are needed. "
            "Models below some two billion parameters seldom can.</p>"
        )
    rows = (
        (e.letter, f"{e.f1:.2f}", str(e.splits), f"{e.fraction:.1%}", f"{e.full:.1%}", str(e.words))
        for e in found.letters
    )
    return (
        f"<h3>Absorption</h3><p>Mean fraction {found.fraction:.1%}, full {found.full:.1%}, {found.splits:.1f} features "
        f"a letter, over {len(found.letters)} of {found.tried} letters that the model knows.</p>"
        + _table("Absorption", ("letter", "F1 of the probe", "features", "fraction", "full", "words"), rows)
    )


def _sensitivity(evaluation: Evaluation) -> str:
    if not evaluation.sensitivities:
        return ""
    found = evaluation.sensitivities
    mean = sum(each.fires for each in found) / len(found)
    rows = ((str(e.feature), f"{e.fires:.0%}", f"{e.elsewhere:.0%}", str(e.written)) for e in found)
    return f"<h3>Sensitivity</h3><p>Mean {mean:.0%} over {len(found)} features.</p>" + _table(
        "Sensitivity", ("feature", "fires on new passages of its kind", "on others", "passages"), rows
    )


def counted(evaluation: Evaluation) -> str:
    """How much was read: tokens, or passages where that is what it reads."""
    return f"{evaluation.measured.tokens} {evaluation.config.grain}s"


def _number(estimate: Estimate) -> str:
    value = f"{estimate.value:.4g}"
    return f"{value} ± {estimate.error:.1g}" if math.isfinite(estimate.error) and estimate.error else value


def _table(name: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(name)}">'
        f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
