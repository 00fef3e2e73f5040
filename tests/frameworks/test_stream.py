import numpy as np
import pytest

from harness.frameworks.examples import Examples
from harness.frameworks.order import Order
from tests.frameworks.kit import EXAMPLES, SEED, Kit, examples, plain


def test_two_small_batches_are_one_large_batch(kit: Kit) -> None:
    halves, whole = kit.stream(), kit.stream()
    first, second, both = halves.next(16), halves.next(16), whole.next()
    np.testing.assert_array_equal(np.concatenate([first.inputs, second.inputs]), both.inputs)
    np.testing.assert_array_equal(np.concatenate([first.targets, second.targets]), both.targets)
    assert halves.position == whole.position == 32


def test_batches_follow_the_order_across_epochs_and_mixed_sizes(kit: Kit) -> None:
    stream, order, data = kit.stream(), Order(SEED, EXAMPLES), examples()
    for count in (150, 49, 1, 1, 199, 7, 450, EXAMPLES):
        index = order.slice(stream.position, count)
        batch = stream.next(count)
        np.testing.assert_array_equal(batch.inputs, data.inputs[index])
        np.testing.assert_array_equal(batch.targets, data.targets[index])


def test_both_frameworks_give_the_same_examples(torch_kit: Kit, jax_kit: Kit) -> None:
    mine, other = torch_kit.stream(), jax_kit.stream()
    for _ in range(10):
        batch, same = mine.next(), other.next()
        np.testing.assert_array_equal(batch.inputs, same.inputs)
        np.testing.assert_array_equal(batch.targets, same.targets)


@pytest.mark.parametrize("is_mapped", [False, True])
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_tokens_are_the_same_in_both_frameworks(
    torch_kit: Kit, jax_kit: Kit, dtype: type, is_mapped: bool
) -> None:
    tokens: np.ndarray = np.random.default_rng(0).integers(0, 60_000, (50, 9)).astype(dtype)
    data, order = Examples(tokens[:, :-1], tokens[:, 1:], is_mapped), Order(SEED, 50)
    streams = [kit.backend.stream(data, order, 16) for kit in (torch_kit, jax_kit)]
    for position in range(0, 200, 16):
        for stream in streams:
            batch = stream.next()
            expected = tokens[order.slice(position, 16)]
            np.testing.assert_array_equal(batch.inputs, expected[:, :-1])
            np.testing.assert_array_equal(batch.targets, expected[:, 1:])


def test_the_stream_keeps_its_own_copy(kit: Kit) -> None:
    data = examples()
    stream = kit.backend.stream(data, Order(SEED, EXAMPLES), 32)
    data.inputs[:] = 0.0
    assert np.abs(np.asarray(stream.next().inputs)).min() > 0.0


def test_a_stream_is_an_iterator_of_the_workloads_batches(kit: Kit) -> None:
    ours, theirs = kit.stream(), kit.stream()
    for _, batch in zip(range(2), ours, strict=False):
        np.testing.assert_array_equal(plain(batch.inputs), plain(theirs.next().inputs))
    assert next(ours).targets.shape[0] == ours.batch_size
