"""The reader of optimised HLO, on programs whose numbers are known by hand."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from fpliif_jax.experiments.capacity import hlo, hlo_text
from fpliif_jax.experiments.capacity.hlo import Kernel, Totals
from fpliif_jax.experiments.capacity.hlo_text import Program

FLOAT32, HIGHEST, BFLOAT16, ELEMENTWISE = (
    "float32 products",
    "float32 products, highest",
    "bfloat16 products",
    "elementwise",
)


def compiled(function: Callable, *shapes: tuple[int, ...]) -> Program:
    """For this machine's CPU, whose HLO has the same form."""
    arguments = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    return hlo_text.parse(jax.jit(function).lower(*arguments).compile().as_text())


def totals(program: Program) -> Totals:
    return hlo.totals(hlo.kernels(program))


def gpu(entry: str, computations: str = "") -> list[Kernel]:
    """Kernels of a program whose entry computation has these lines."""
    text = (
        f"HloModule m, is_scheduled=true\n\n{computations}\nENTRY %main () -> () {{\n{entry}\n}}\n"
    )
    return hlo.kernels(hlo_text.parse(text))


def only(kernels: list[Kernel]) -> Kernel:
    (kernel,) = kernels
    return kernel


# --- compiled here ---


def test_a_matrix_product() -> None:
    found = totals(compiled(lambda a, b: a @ b, (30, 40), (40, 50)))
    assert found.launches == 1
    assert found.bytes == 4 * (30 * 40 + 40 * 50 + 30 * 50)
    assert found.flops == {FLOAT32: 2 * 30 * 40 * 50}


def test_a_product_at_the_highest_precision_is_a_kind_of_its_own() -> None:
    found = totals(compiled(lambda a, b: jnp.matmul(a, b, precision="highest"), (8, 8), (8, 8)))
    assert found.flops == {HIGHEST: 2 * 8**3}


def test_a_batch_of_matrix_products() -> None:
    found = totals(compiled(lambda a, b: jnp.einsum("bik,bkj->bij", a, b), (7, 6, 5), (7, 5, 4)))
    assert found.flops == {FLOAT32: 2 * 7 * 6 * 5 * 4}


def _convolve(images: jax.Array, kernel: jax.Array, **options: Any) -> jax.Array:
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        images, kernel, dimension_numbers=numbers, **{"window_strides": (1, 1), **options}
    )


@pytest.mark.parametrize(
    ("options", "covered"),
    [
        # Three places of the window for each output of an axis, less those that lie on padding.
        ({"padding": "SAME"}, 16 * 3 - 2),
        ({"padding": "VALID"}, 14 * 3),
        ({"padding": "SAME", "window_strides": (2, 2)}, 8 * 3 - 1),
    ],
)
def test_a_convolution(options: dict[str, Any], covered: int) -> None:
    """Two images, from 5 channels to 7."""
    program = compiled(lambda x, k: _convolve(x, k, **options), (2, 16, 16, 5), (3, 3, 5, 7))
    assert totals(program).flops[FLOAT32] == 2 * (2 * 7 * 5) * covered**2


def test_a_convolution_in_groups_sums_over_the_channels_of_its_group() -> None:
    program = compiled(
        lambda x, k: _convolve(x, k, padding="SAME", feature_group_count=3),
        (1, 8, 8, 6),
        (3, 3, 2, 9),
    )
    assert totals(program).flops[FLOAT32] == 2 * (9 * 2) * (8 * 3 - 2) ** 2


def test_zeros_that_a_transposed_convolution_inserts_are_not_multiplied() -> None:
    program = compiled(
        lambda x, k: _convolve(x, k, padding=((1, 2), (1, 2)), lhs_dilation=(2, 2)),
        (1, 8, 8, 4),
        (3, 3, 4, 4),
    )
    assert totals(program).flops[FLOAT32] == 2 * (4 * 4) * (8 * 3 - 1) ** 2


def test_a_fusion_reads_and_writes_once() -> None:
    """Two products and a sum of each element in one kernel: nothing in between is written."""
    found = totals(compiled(lambda x, y: x * y + x * 3, (1000,), (1000,)))
    assert found == Totals(1, 4 * 3 * 1000, {ELEMENTWISE: 3 * 1000}, 0)


def test_a_loop_counts_as_often_as_it_goes_round() -> None:
    def power(x: jax.Array) -> jax.Array:
        return lax.fori_loop(0, 7, lambda _, y: jnp.tanh(y @ x), x)

    program = compiled(power, (64, 64))
    found = totals(program)
    assert found.flops[FLOAT32] == 7 * 2 * 64**3
    assert found.flops[ELEMENTWISE] >= 7 * 64**2
    assert found.launches >= 7
    assert hlo.unknown_loops(program) == 0


def test_a_loop_in_a_loop() -> None:
    def power(x: jax.Array) -> jax.Array:
        inner = lambda _, y: y @ x  # noqa: E731
        return lax.fori_loop(0, 3, lambda _, y: jnp.tanh(lax.fori_loop(0, 5, inner, y)), x)

    assert totals(compiled(power, (64, 64))).flops[FLOAT32] == 3 * 5 * 2 * 64**3


def test_a_loop_without_a_known_end_is_told_and_counts_once() -> None:
    def halve(x: jax.Array) -> jax.Array:
        return lax.while_loop(lambda y: jnp.sum(y) > 1, lambda y: y @ x, x)

    program = compiled(halve, (64, 64))
    assert totals(program).flops[FLOAT32] == 2 * 64**3
    assert hlo.unknown_loops(program) == 1


# --- as XLA prints it for GPUs and TPUs ---

_DUS = """%fused_update (p0: f32[16,100], p1: f32[1,100], p2: s32[]) -> f32[16,100] {
  %p0 = f32[16,100]{1,0} parameter(0)
  %p1 = f32[1,100]{1,0} parameter(1)
  %p2 = s32[] parameter(2)
  %zero = s32[] constant(0)
  ROOT %update = f32[16,100]{1,0} dynamic-update-slice(%p0, %p1, %p2, %zero)
}
"""
_SLICE = """%fused_slice (p0: f32[16,100], p1: s32[]) -> f32[100] {
  %p0 = f32[16,100]{1,0} parameter(0)
  %p1 = s32[] parameter(1)
  %zero = s32[] constant(0)
  %row = f32[1,100]{1,0} dynamic-slice(%p0, %p1, %zero), dynamic_slice_sizes={1,100}
  %flat = f32[100]{0} bitcast(%row)
  ROOT %negated = f32[100]{0} negate(%flat)
}
"""


def test_an_update_in_place_moves_the_update_alone() -> None:
    kernel = only(
        gpu(
            """  %a = f32[16,100]{1,0} parameter(0)
  %b = f32[1,100]{1,0} parameter(1)
  %i = s32[] parameter(2)
  ROOT %f = f32[16,100]{1,0} fusion(%a, %b, %i), kind=kLoop, calls=%fused_update""",
            _DUS,
        )
    )
    assert kernel.bytes == 4 * 100 + 4 + 4 * 100
    assert kernel.flops == {}


def test_of_a_sliced_array_the_slice_is_read() -> None:
    kernel = only(
        gpu(
            """  %a = f32[16,100]{1,0} parameter(0)
  %i = s32[] parameter(1)
  ROOT %f = f32[100]{0} fusion(%a, %i), kind=kLoop, calls=%fused_slice""",
            _SLICE,
        )
    )
    assert kernel.bytes == 4 * 100 + 4 + 4 * 100
    assert kernel.flops == {ELEMENTWISE: 100}


@pytest.mark.parametrize(
    ("operands", "result", "target"),
    [
        # The same convolution of 2×16×16 pixels, 5 to 7 channels: result, gradient by input, gradient by kernel.
        ("%x, %k", "(f32[2,16,16,7]{3,2,1,0}, u8[0]{0})", "__cudnn$convBiasActivationForward"),
        ("%y, %k", "(f32[2,16,16,5]{3,2,1,0}, u8[0]{0})", "__cudnn$convBackwardInput"),
        ("%x, %y", "(f32[7,3,3,5]{3,2,1,0}, u8[0]{0})", "__cudnn$convBackwardFilter"),
    ],
)
def test_convolutions_of_cudnn(operands: str, result: str, target: str) -> None:
    kernels = gpu(
        f"""  %x = f32[2,16,16,5]{{3,2,1,0}} parameter(0)
  %k = f32[7,3,3,5]{{3,2,1,0}} parameter(1)
  %y = f32[2,16,16,7]{{3,2,1,0}} parameter(2)
  %c = {result} custom-call({operands}), window={{size=3x3 pad=1_1x1_1}}, dim_labels=b01f_o01i->b01f, """
        f"""custom_call_target="{target}", backend_config={{"cudnn_conv_backend_config":{{"activation_mode":"kNone"}}}}
  ROOT %r = f32[2]{{0}} get-tuple-element(%c), index=0"""
    )
    assert only(kernels).flops == {FLOAT32: 2 * (2 * 7 * 5) * (16 * 3 - 2) ** 2}


@pytest.mark.parametrize(("precision", "kind"), [("DEFAULT", FLOAT32), ("HIGHEST", HIGHEST)])
def test_matrix_products_of_cublas(precision: str, kind: str) -> None:
    kernels = gpu(
        """  %a = f32[30,40]{1,0} parameter(0)
  %b = f32[40,50]{1,0} parameter(1)
  ROOT %g = (f32[30,50]{1,0}, s8[4194304]{0}) custom-call(%a, %b), custom_call_target="__cublas$gemm", """
        'backend_config={"operation_queue_id":"0","gemm_backend_config":{"alpha_real":1,"dot_dimension_numbers":'
        '{"lhs_contracting_dimensions":["1"],"rhs_contracting_dimensions":["0"]},"precision_config":'
        f'{{"operand_precision":["{precision}","{precision}"]}}}}}}'
    )
    assert only(kernels).flops == {kind: 2 * 30 * 40 * 50}


def test_products_of_bfloat16_within_a_fusion() -> None:
    kernel = only(
        gpu(
            """  %a = bf16[30,40]{1,0} parameter(0)
  %b = bf16[40,50]{1,0} parameter(1)
  ROOT %f = bf16[30,50]{1,0} fusion(%a, %b), kind=kCustom, calls=%product""",
            """%product (p0: bf16[30,40], p1: bf16[40,50]) -> bf16[30,50] {
  %p0 = bf16[30,40]{1,0} parameter(0)
  %p1 = bf16[40,50]{1,0} parameter(1)
  ROOT %d = bf16[30,50]{1,0} dot(%p0, %p1), lhs_contracting_dims={1}, rhs_contracting_dims={0}
}
""",
        )
    )
    assert kernel.flops == {BFLOAT16: 2 * 30 * 40 * 50}
    assert kernel.bytes == 2 * (30 * 40 + 40 * 50 + 30 * 50)


def test_what_a_started_collective_writes_is_its_result() -> None:
    kernels = gpu(
        """  %a = f32[10]{0} parameter(0)
  %b = f32[20]{0} parameter(1)
  %g = (f32[10]{0}, f32[40]{0}) all-gather-start(%a), dimensions={0}
  %h = f32[40]{0} all-gather-done(%g)
  %s = (f32[10]{0}, f32[20]{0}) all-reduce-start(%a, %b), to_apply=%add
  ROOT %d = (f32[10]{0}, f32[20]{0}) all-reduce-done(%s)"""
    )
    assert [(k.name, k.bytes) for k in kernels] == [("g", 4 * (10 + 40)), ("s", 2 * 4 * (10 + 20))]


def test_loops_collectives_and_what_starts_nothing() -> None:
    kernels = gpu(
        """  %a = f32[100]{0} parameter(0)
  %n = s32[] constant(0)
  %s = f32[100]{0} all-reduce-start(%a), channel_id=1, replica_groups={{0,1,2,3}}, to_apply=%body
  %d = f32[100]{0} all-reduce-done(%s)
  %t = (s32[], f32[100]{0}) tuple(%n, %d)
  %w = (s32[], f32[100]{0}) while(%t), condition=%body, body=%body, backend_config={"known_trip_count":{"n":"16"}}
  ROOT %o = f32[100]{0} get-tuple-element(%w), index=1""",
        """%body (p: (s32[], f32[100])) -> (s32[], f32[100]) {
  %p = (s32[], f32[100]{0}) parameter(0)
  %i = s32[] get-tuple-element(%p), index=0
  %x = f32[100]{0} get-tuple-element(%p), index=1
  %y = f32[100]{0} add(%x, %x)
  ROOT %r = (s32[], f32[100]{0}) tuple(%i, %y)
}
""",
    )
    assert [(k.name, k.launches, k.is_collective) for k in kernels] == [
        ("s", 1, True),
        ("y", 16, False),
    ]
    assert [kernel.bytes for kernel in kernels] == [2 * 400, 2 * 400]
    assert hlo.totals(kernels) == Totals(17, 17 * 800, {ELEMENTWISE: 1600}, 1)


def test_sums_in_no_fixed_order_are_found_within_fusions() -> None:
    text = """ENTRY %main (a: f32[10], i: s32[50,1], u: f32[50]) -> f32[10] {
  %a = f32[10]{0} parameter(0)
  %i = s32[50,1]{1,0} parameter(1)
  %u = f32[50]{0} parameter(2)
  ROOT %f = f32[10]{0} fusion(%a, %i, %u), kind=kInput, calls=%fused_scatter
}

%fused_scatter (a: f32[10], i: s32[50,1], u: f32[50]) -> f32[10] {
  %a = f32[10]{0} parameter(0)
  %i = s32[50,1]{1,0} parameter(1)
  %u = f32[50]{0} parameter(2)
  ROOT %added = f32[10]{0} scatter(%a, %i, %u), update_window_dims={}, inserted_window_dims={0}, to_apply=%sum
}
"""
    assert hlo.unordered_sums(hlo_text.parse(text)) == ["added"]
    assert not hlo.unordered_sums(compiled(lambda a, b: a @ b, (3, 3), (3, 3)))


def test_the_costlier_branch_counts() -> None:
    branch = """%{name} (p: f32[100]) -> f32[100] {{
  %p = f32[100]{{0}} parameter(0)
  %a = f32[100]{{0}} negate(%p)
  {more}ROOT %b = f32[100]{{0}} abs(%a)
}}
"""
    kernels = gpu(
        """  %p = pred[] parameter(0)
  %x = f32[100]{0} parameter(1)
  ROOT %c = f32[100]{0} conditional(%p, %x, %x), true_computation=%one, false_computation=%two""",
        branch.format(name="one", more="")
        + branch.format(name="two", more="%c = f32[100]{0} log(%a)\n  "),
    )
    assert len(kernels) == 3


_COUNTED = """%less (p: (s32[], f32[100], s32[])) -> pred[] {{
  %p = (s32[]{{:T(128)}}, f32[100]{{0:T(128)}}, s32[]{{:T(128)}}) parameter(0)
  %i = s32[]{{:T(128)}} get-tuple-element(%p), index=0
  %carried = s32[]{{:T(128)}} get-tuple-element(%p), index=2
  %given = s32[]{{:T(128)}} constant(12)
  ROOT %lt = pred[]{{:T(512)}} compare(%i, %{bound}), direction=LT
}}
%body (p: (s32[], f32[100], s32[])) -> (s32[], f32[100], s32[]) {{
  %p = (s32[]{{:T(128)}}, f32[100]{{0:T(128)}}, s32[]{{:T(128)}}) parameter(0)
  %i = s32[]{{:T(128)}} get-tuple-element(%p), index=0
  %c = s32[]{{:T(128)S(6)}} copy(%i)
  %step = s32[]{{:T(128)}} constant(2)
  %n = s32[]{{:T(128)}} add(%c, %step)
  %x = f32[100]{{0:T(128)}} get-tuple-element(%p), index=1
  %y = f32[100]{{0:T(128)}} negate(%x)
  %carried = s32[]{{:T(128)}} get-tuple-element(%p), index=2
  ROOT %r = (s32[]{{:T(128)}}, f32[100]{{0:T(128)}}, s32[]{{:T(128)}}) tuple(%n, %y, %{last})
}}
"""


@pytest.mark.parametrize(
    ("bound", "last", "launches"),
    # From 3 in steps of 2: below 12 five times, below 21, what the loop carries, nine times.
    [("given", "carried", 5), ("carried", "carried", 9), ("carried", "n", 1)],
)
def test_trips_of_a_loop_follow_from_its_counter(bound: str, last: str, launches: int) -> None:
    """XLA does not print them for TPUs; where the bound changes they are not known."""
    kernels = gpu(
        """  %a = f32[100]{0:T(128)} parameter(0)
  %first = s32[]{:T(128)} constant(3)
  %bound = s32[]{:T(128)} constant(21)
  %t = (s32[]{:T(128)}, f32[100]{0:T(128)}, s32[]{:T(128)}) tuple(%first, %a, %bound)
  %w = (s32[]{:T(128)}, f32[100]{0:T(128)}, s32[]{:T(128)}) while(%t), condition=%less, body=%body
  ROOT %o = f32[100]{0:T(128)} get-tuple-element(%w), index=1""",
        _COUNTED.format(bound=bound, last=last),
    )
    assert {kernel.name: kernel.launches for kernel in kernels}["y"] == launches


def test_a_matrix_product_that_a_tpu_does_as_a_convolution() -> None:
    """64 batches of [256, 64] × [64, 256]: the window is all batches, and meets one of them at each output."""
    kernels = gpu(
        """  %a = f32[256,64,1]{1,0,2:T(8,128)} parameter(0)
  %b = f32[64,64,256]{2,0,1:T(8,128)} parameter(1)
  ROOT %c = f32[256,64,256]{2,0,1:T(8,128)} convolution(%a, %b), window={size=64 pad=63_63 rhs_reversal=1}, """
        "dim_labels=bf0_i0o->b0f, operand_precision={highest,highest}"
    )
    assert only(kernels).flops == {HIGHEST: 2 * 64 * 256 * 64 * 256}


def test_on_chip_memory_of_tpus_is_no_traffic() -> None:
    kernels = gpu(
        """  %a = bf16[128,256]{1,0:T(8,128)(2,1)} parameter(0)
  %s = (bf16[128,256]{1,0:T(8,128)(2,1)S(1)}, bf16[128,256]{1,0:T(8,128)(2,1)}, u32[]{:S(2)}) copy-start(%a)
  %d = bf16[128,256]{1,0:T(8,128)(2,1)S(1)} copy-done(%s)
  ROOT %n = bf16[128,256]{1,0:T(8,128)(2,1)} negate(%d)"""
    )
    assert [kernel.bytes for kernel in kernels] == [2 * 128 * 256, 2 * 128 * 256]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "HloModule m",
        "ENTRY %main () -> f32[] {\n  no instruction\n}\n",
        "ENTRY %m () -> () {\n  %a = f32[2]{0} add(\n}",
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HLO"):
        hlo_text.parse(text)
