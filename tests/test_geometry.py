"""Output sizes: by hand, and against counting the windows one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from npconv import geometry
from npconv.geometry import (
    columns_geometry,
    conv_geometry,
    coverage,
    pad_backward_geometry,
    pad_geometry,
    pool_geometry,
)

INT64_MAX = 2**63 - 1
# Python refuses to turn it into text, so no message may try to.
UNPRINTABLE = pytest.param(2**20000, id="unprintable")


def conv_1d(n, kernel, stride=1, padding=0, dilation=1):
    """One axis: (output, pad_before, pad_after)."""
    padding = padding if isinstance(padding, str) else (padding,)
    found = conv_geometry(1, (1, 1, n), (1, 1, kernel), stride, padding, dilation)
    return found.output[2], found.pad_before[2], found.pad_after[2]


def pool_1d(n, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
    return pool_geometry(1, (1, 1, n), kernel, stride, (padding,), dilation, ceil_mode).output[2]


# --- by hand ---------------------------------------------------------------------------------


def test_windows_drawn():
    # input 5, kernel 3, stride 2, one zero on each side; three windows:
    #
    #    .  0  1  2  3  4  .
    #   [       ]
    #          [       ]
    #                [       ]
    assert conv_1d(5, 3, stride=2, padding=1) == (3, 1, 1)
    # Without the padding behind, the third window no longer fits:
    assert conv_1d(5, 3, stride=2, padding=(1, 0)) == (2, 1, 0)
    # dilation 2 spreads the taps of the same kernel over 5 elements: one window.
    assert conv_1d(5, 3, stride=2, dilation=2) == (1, 0, 0)


@pytest.mark.parametrize(
    ("n", "kernel", "stride", "padding", "output"),
    [
        (227, 11, 4, 0, 55),  # AlexNet's first layer
        (27, 5, 1, 2, 27),  # its second
        (224, 7, 2, 3, 112),  # ResNet's first
        (56, 3, 2, 1, 28),
        (28, 1, 2, 0, 14),
        (28, 5, 1, 0, 24),  # SimpleConvNet
        (7, 7, 1, 0, 1),
        (1, 1, 1, 0, 1),
        (1, 3, 1, 1, 1),
        (2, 1, 5, 0, 1),  # a stride past the kernel and the input
        (11, 2, 5, 0, 2),
        (0, 2, 1, 1, 1),  # a window that lies in the padding of an empty image
        (0, 2, 1, 5, 9),
    ],
)
def test_sizes_by_hand(n, kernel, stride, padding, output):
    assert conv_1d(n, kernel, stride, padding)[0] == output


@pytest.mark.parametrize(
    ("n", "kernel", "stride", "dilation", "expected"),
    [
        # output, before, after
        (5, 3, 1, 1, (5, 1, 1)),
        (5, 2, 1, 1, (5, 0, 1)),  # the extra element at the end
        (5, 4, 1, 1, (5, 1, 2)),
        (5, 3, 2, 1, (3, 1, 1)),
        (4, 3, 2, 1, (2, 0, 1)),
        (224, 7, 2, 1, (112, 2, 3)),
        (7, 1, 2, 1, (4, 0, 0)),  # never negative, though one element is not used
        (7, 2, 3, 1, (3, 0, 1)),
        (6, 2, 3, 1, (2, 0, 0)),
        (5, 3, 1, 2, (5, 2, 2)),
        (5, 2, 1, 3, (5, 1, 2)),
        (1, 3, 7, 1, (1, 1, 1)),
    ],
)
def test_same_padding_by_hand(n, kernel, stride, dilation, expected):
    assert conv_1d(n, kernel, stride, "same", dilation) == expected


def test_valid_is_no_padding():
    assert conv_1d(9, 4, 2, "valid") == conv_1d(9, 4, 2, 0) == (3, 0, 0)


@pytest.mark.parametrize(
    ("n", "kernel", "stride", "padding", "floor", "ceil"),
    [
        (4, 2, 2, 0, 2, 2),
        (5, 2, 2, 0, 2, 3),
        (6, 3, 2, 0, 2, 3),
        (7, 3, 2, 0, 3, 3),
        (55, 3, 2, 0, 27, 27),
        (112, 3, 2, 0, 55, 56),  # GoogLeNet
        (4, 2, 3, 0, 1, 2),
        (3, 2, 3, 0, 1, 1),  # the second window would start past the input
        (3, 1, 2, 0, 2, 2),
        (4, 3, 4, 1, 1, 2),  # (4 + 2 - 3) / 4 rounds up to 1: windows at -1 and 3
        (3, 2, 4, 1, 1, 1),  # likewise 1, but that window would start at 3, in the padding
    ],
)
def test_ceil_mode_by_hand(n, kernel, stride, padding, floor, ceil):
    assert pool_1d(n, kernel, stride, padding) == floor
    assert pool_1d(n, kernel, stride, padding, ceil_mode=True) == ceil


def test_ceil_mode_lets_the_only_window_reach_past_the_input():
    # PyTorch gives one window here too: it starts inside, and the missing element is padding.
    assert pool_1d(2, 3, 2, ceil_mode=True) == 1
    with pytest.raises(ValueError, match="larger than the padded"):
        pool_1d(2, 3, 2)
    with pytest.raises(ValueError, match="larger than the padded"):
        pool_1d(2, 3, 1, ceil_mode=True)


def test_all_fields_of_a_convolution():
    found = conv_geometry(2, (8, 6, 10, 20), (4, 3, 3, 5), (1, 2), ((0, 1), (2, 3)), (2, 1), 2)
    assert found == geometry.ConvGeometry(
        ndim=2,
        batch=8,
        groups=2,
        in_channels=6,
        out_channels=4,
        input=(1, 10, 20),
        kernel=(1, 3, 5),
        output=(1, 7, 11),
        stride=(1, 1, 2),
        dilation=(1, 2, 1),
        pad_before=(0, 0, 2),
        pad_after=(0, 1, 3),
    )
    assert found.input_shape == (8, 6, 10, 20)
    assert found.weight_shape == (4, 3, 3, 5)
    assert found.output_shape == (8, 4, 7, 11)


def test_all_fields_of_a_pooling():
    found = pool_geometry(2, (8, 6, 11, 20), (2, 3), None, (0, 1), 1, True)
    assert found == geometry.PoolGeometry(
        ndim=2,
        batch=8,
        channels=6,
        input=(1, 11, 20),
        kernel=(1, 2, 3),
        output=(1, 6, 7),  # 6 rounded up; an eighth column would start in the padding
        stride=(1, 2, 3),
        dilation=(1, 1, 1),
        pad_before=(0, 0, 1),
        pad_after=(0, 0, 1),
    )
    assert found.input_shape == (8, 6, 11, 20)
    assert found.output_shape == (8, 6, 6, 7)


def test_columns():
    found = columns_geometry(2, (8, 6, 10, 20), (3, 5), 1, 1, 1)
    assert (found.groups, found.out_channels) == (1, 0)
    assert found.columns_shape == (8, 6 * 3 * 5, 10 * 18)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_fewer_dimensions_have_ones_in_front(ndim):
    sizes = (7, 8, 9)[-ndim:]
    found = conv_geometry(ndim, (2, 3, *sizes), (4, 3, *[2] * ndim), 2, 1, 3)
    front = 3 - ndim
    assert found.input == (1,) * front + sizes
    assert found.kernel == (1,) * front + (2,) * ndim
    assert found.stride == (1,) * front + (2,) * ndim
    assert found.dilation == (1,) * front + (3,) * ndim
    assert found.pad_before == found.pad_after == (0,) * front + (1,) * ndim
    assert found.output == (1,) * front + tuple((n + 2 - 4) // 2 + 1 for n in sizes)
    assert found.output_shape == (2, 4, *found.output[front:])


# --- by counting -----------------------------------------------------------------------------

sizes = st.integers(0, 12)
kernels = st.integers(1, 5)
steps = st.integers(1, 6)
widths = st.tuples(st.integers(0, 6), st.integers(0, 6))


@given(sizes, kernels, steps, widths, steps)
def test_windows_are_counted(n, kernel, stride, padding, dilation):
    before, after = padding
    reach = dilation * (kernel - 1)
    starts = [s for s in range(-before, n + after, stride) if s + reach < n + after]
    if starts:
        assert conv_1d(n, kernel, stride, padding, dilation) == (len(starts), before, after)
    else:
        with pytest.raises(ValueError, match="larger than the padded x along W"):
            conv_1d(n, kernel, stride, padding, dilation)


@given(st.integers(1, 12), kernels, steps, steps)
def test_same_padding_is_the_least_that_gives_the_size(n, kernel, stride, dilation):
    output, before, after = conv_1d(n, kernel, stride, "same", dilation)
    assert output == -(-n // stride)
    assert after - before in (0, 1)
    if before + after:
        fewer = n + before + after - 1
        window = dilation * (kernel - 1) + 1
        assert (fewer - window) // stride + 1 == output - 1


@given(sizes, kernels, steps, widths, steps, st.booleans())
@example(1, 2, 1, (2, 0), 3, False)  # taps at -2 and 1, the input is only 0
@example(1, 3, 1, (4, 4), 2, False)
@example(2, 3, 2, (0, 0), 1, True)
def test_pool_windows_are_counted_and_touch_the_input(
    n, kernel, stride, padding, dilation, ceil_mode
):
    before, after = padding
    window = dilation * (kernel - 1) + 1
    padded = n + before + after

    def exists(o):
        if not ceil_mode:
            return o * stride + window <= padded
        # Rounding up adds a window where the one before it leaves something over.
        return (o - 1) * stride + window < padded and o * stride < n + before

    count = len(list(itertools.takewhile(exists, itertools.count())))
    taps = [
        {o * stride - before + t * dilation for t in range(kernel)} & set(range(n))
        for o in range(count)
    ]
    if count and all(taps) and before < window and after < window:
        assert pool_1d(n, kernel, stride, padding, dilation, ceil_mode) == count
    else:
        with pytest.raises(ValueError, match=r"padding|padded"):
            pool_1d(n, kernel, stride, padding, dilation, ceil_mode)


@given(
    bound=st.integers(0, 12),
    count=st.integers(0, 15),
    step=st.integers(1, 20),
    start=st.integers(-20, 20),
    modulus=st.integers(1, 12),
)
def test_residues_are_counted(bound, count, step, start, modulus):
    expected = any((start + i * step) % modulus >= bound for i in range(count))
    assert coverage.residues_at_least(bound, count, step, start, modulus) == expected


def test_a_window_in_the_padding_is_found_among_very_many():
    # 2**40 + 1 windows; the first that misses the two elements is not the first one.
    big = 2**40
    with pytest.raises(ValueError, match="a window lies wholly in the padding along W"):
        pool_1d(2, 2, 1, (big, big), big)


# --- enormous values -------------------------------------------------------------------------


def all_integers(found):
    return [i for field in found for i in (field if isinstance(field, tuple) else (field,))]


@pytest.mark.parametrize("stride", [2**31, 2**62, 2**63, 2**70, UNPRINTABLE])
def test_enormous_stride_gives_one_window_that_c_can_hold(stride):
    for padding in (0, 1, "same", "valid"):
        found = conv_geometry(2, (1, 1, 9, 9), (1, 1, 3, 3), stride, padding)
        assert found.output == (1, 1, 1)
        assert max(all_integers(found)) <= INT64_MAX
    found = pool_geometry(2, (1, 1, 9, 9), 3, stride, 0, 1, True)
    assert found.output == (1, 1, 1)
    assert max(all_integers(found)) <= INT64_MAX


@pytest.mark.parametrize("dilation", [2**31, 2**62, 2**70])
def test_enormous_dilation_is_fine_for_one_tap_only(dilation):
    found = conv_geometry(2, (1, 1, 9, 9), (1, 1, 1, 1), 1, 0, dilation)
    assert found.output == (1, 9, 9)
    assert max(all_integers(found)) <= INT64_MAX
    with pytest.raises(ValueError, match=rf"covers {dilation * 2 + 1}, x has 9 \+ padding"):
        conv_geometry(2, (1, 1, 9, 9), (1, 1, 3, 3), 1, 0, dilation)


@pytest.mark.parametrize("value", [2**31, 2**62, 2**70])
def test_enormous_kernel_is_larger_than_the_input(value):
    for ceil_mode in (False, True):
        with pytest.raises(ValueError, match=str(value)):
            pool_geometry(2, (1, 1, 9, 9), value, 1, 0, 1, ceil_mode)
    with pytest.raises(ValueError, match=str(value)):
        columns_geometry(2, (1, 1, 9, 9), value)


def test_enormous_padding_can_be_right():
    # One window, which covers all of it.
    found = conv_geometry(1, (1, 1, 1), (1, 1, 2), 1, ((2**40, 0),), 2**40)
    assert found.output == (1, 1, 1)


@pytest.mark.parametrize(
    "padding", [2**62, 2**63, 2**70, UNPRINTABLE, pytest.param(((0, 2**70), (0, 0)), id="one")]
)
def test_enormous_padding_passes_the_largest_size(padding):
    with pytest.raises(ValueError, match=r"x is 9 long along H, and padding it by .* 2\*\*62"):
        conv_geometry(2, (1, 1, 9, 9), (1, 1, 3, 3), 1, padding)


@pytest.mark.parametrize("batch", [0, 1])
def test_totals_must_be_addressable(batch):
    with pytest.raises(ValueError, match=r"the output would have shape .* too large"):
        conv_geometry(2, (batch, 1, 9, 9), (1, 1, 3, 3), 1, 2**31)
    with pytest.raises(ValueError, match="the array of columns would have shape"):
        columns_geometry(2, (batch, 1, 9, 9), 3, 1, 2**31)
    with pytest.raises(ValueError, match="x would have shape"):
        pool_geometry(2, (batch, 1, 2**31, 2**31), 1)
    with pytest.raises(ValueError, match=r"input_shape would have shape"):
        conv_geometry(2, (batch, 2**40, 2**20, 8), (1, 2**40, 1, 1), input_name="input_shape")
    with pytest.raises(ValueError, match="the padded array would have shape"):
        pad_geometry((batch, 9), ((0, 0), (2**70, 0)), "constant", 1)


def test_ceil_mode_cannot_hide_an_enormous_window():
    # Rounded up, one window starts inside, so only its own size is in the way.
    with pytest.raises(ValueError, match="the window would have shape"):
        pool_geometry(2, (1, 1, 9, 9), 2**62, 2**63, 0, 1, True)


def test_no_channels_need_no_groups():
    assert conv_geometry(2, (1, 0, 4, 4), (0, 0, 3, 3), groups=2**70).groups == 1
    assert conv_geometry(2, (1, 0, 4, 4), (6, 0, 3, 3), groups=3).groups == 3


# --- what is kept for the next call ----------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"stride": True},
        {"stride": 1.0},
        {"stride": (1, True)},
        {"stride": (1.0, 1)},
        {"padding": False},
        {"padding": ((0, 0), (0, False))},
        {"dilation": np.True_},
        {"groups": True},
        {"groups": 1.0},
    ],
    ids=str,
)
def test_equal_values_of_the_wrong_type_are_not_taken_from_the_cache(arguments):
    shapes = (2, (1, 1, 9, 9), (1, 1, 3, 3))
    conv_geometry(*shapes)
    conv_geometry(*shapes, (1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    with pytest.raises(TypeError, match="must be an integer"):
        conv_geometry(*shapes, **arguments)


@pytest.mark.parametrize(
    "stride", [(1, 2), [1, 2], np.array([1, 2]), np.array([1, 2], np.uint8), (np.int64(1), 2)]
)
def test_forms_of_two_integers(stride):
    found = conv_geometry(2, (1, 1, 9, 9), (1, 1, 3, 3), stride)
    assert found.output == (1, 7, 4)
    assert {type(i) for i in all_integers(found)} == {int}


@pytest.mark.parametrize(
    "padding",
    [
        ((1, 1), (2, 2)),
        (1, 2),
        [1, 2],
        np.array([1, 2]),
        [[1, 1], [2, 2]],
        np.array([[1, 1], [2, 2]]),
    ],
    ids=str,
)
def test_forms_of_padding(padding):
    found = conv_geometry(2, (1, 1, 9, 9), (1, 1, 3, 3), 1, padding)
    assert found.pad_before == found.pad_after == (0, 1, 2)


# --- pad -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pad_width",
    [
        2,
        np.int8(2),
        (1, 2),
        [1, 2],
        (3,),
        ((1, 2),),
        ((1, 2), (3, 4)),
        ((1,), (2,)),
        np.array([[1, 2], [3, 4]]),
        np.array(2),
        {0: 1},
        {-1: (1, 2)},
        {0: (3, 0), 1: 2},
        {},
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(3, 4), (1, 0)])
def test_pad_width_is_read_as_numpy_reads_it(pad_width, shape):
    if isinstance(pad_width, dict):  # newer NumPy has this form
        pairs = [pad_width.get(axis, pad_width.get(axis - 2, 0)) for axis in range(2)]
        pad_width_for_numpy = [(p, p) if isinstance(p, int) else p for p in pairs]
    else:
        pad_width_for_numpy = pad_width
    expected = np.pad(np.zeros(shape), pad_width_for_numpy).shape
    found = pad_geometry(shape, pad_width, "constant", 8)
    assert found.padded_shape == expected
    assert {type(i) for i in all_integers(found)} == {int}
    assert pad_backward_geometry(expected, pad_width, "constant") == found


def test_pad_without_axes():
    assert pad_geometry((), 3, "constant", 8) == ((), (), ())


def test_pad_keeps_both_sides_apart():
    found = pad_geometry((3, 4), ((1, 2), (3, 4)), "edge", 8)
    assert found == geometry.PadGeometry(shape=(3, 4), before=(1, 3), after=(2, 4))
