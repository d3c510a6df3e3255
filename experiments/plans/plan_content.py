"""What a plan means as data that JSON can hold: the content that `plan_file.plan_of` reads."""

from fpliif_jax.experiments.plans.plan_values import Content
from fpliif_jax.experiments.plans.seeds import seeds_text
from fpliif_jax.experiments.plans.variant import Question, Table, Variant

MODULES = {  # what may be run on a finished run, and the file that it leaves
    "robustness": ("fpliif_jax.experiments.robustness", "robustness/robustness.json"),
}


def content_of(plan: Table) -> Content:
    """What `plan_file.plan_of` makes a plan of one's own of, ready for JSON; what variants share is written with each.

    Of a table of a paper it is a record: what its variants claim, and measure without training, has no key.
    """
    return {
        "title": plan.title,
        **({"baseline": plan.baseline} if plan.baseline is not None else {}),
        **({"seeds": seeds_text(plan.seeds)} if plan.seeds is not None else {}),
        "variants": {variant.name: _variant_content(variant) for variant in plan.variants},
        "questions": {question.name: _question_content(question) for question in plan.questions},
    }


def _variant_content(variant: Variant) -> Content:
    known = {step: name for name, step in MODULES.items()}
    overrides = {
        field: list(value) if isinstance(value, tuple) else value
        for field, value in variant.overrides
    }
    content = {
        "label": variant.label,
        "config": variant.config,
        "overrides": overrides or None,
        "rows": None if variant.rows is None else list(variant.rows),
        "needs": variant.needs,
        "then": [known.get(step, step[0]) for step in variant.then] or None,
        "trains": None if variant.trains else False,
        "seeds": None if variant.seeds is None else seeds_text(variant.seeds),
    }
    return {key: value for key, value in content.items() if value is not None}


def _question_content(question: Question) -> Content:
    content = {
        "text": question.text,
        "variant": question.variant,
        "against": question.against,
        "expects": str(question.expects),
        "metric": question.metric,
        "class": question.class_name,
        "row": question.row,
        "against_row": question.against_row,
    }
    return {key: value for key, value in content.items() if value}
