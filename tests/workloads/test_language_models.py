"""The generated language: what it declares, and what models tell apart in it: counts of pairs, a
recurrent network, a transformer.
"""

import numpy as np
import pytest
import torch
from torch.nn import functional

from harness.core.seeds import philox
from harness.providers import registry
from tests.workloads.declared import data_of
from workloads.data.language import Language, LanguageSettings, lower_bound
from workloads.lm import model_torch as transformer
from workloads.parameters import initial_parameters
from workloads.rnn import model_torch as recurrent

SEED = "0123456789abcdef0123456789abcdef"
BATCH = 16
STEPS = 400


def train_model(name: str, tokens: torch.Tensor, rate: float) -> torch.nn.Module:
    """A quick workload's model after one pass over the tokens with AdamW."""
    workload = registry.workload(name)
    sizes = workload.at("quick").sizes
    model: torch.nn.Module = {"lm": transformer, "rnn": recurrent}[name].build(sizes)
    start = initial_parameters(workload.module("model").parameters(sizes), philox(SEED, "weights"))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(start[key]))
    optimizer = torch.optim.AdamW(model.parameters(), rate, betas=(0.9, 0.98), weight_decay=0.1)
    for step, batch in enumerate(tokens.split(BATCH)):
        for group in optimizer.param_groups:
            group["lr"] = (
                rate * min(1.0, (step + 1) / 50) * min(1.0, (STEPS - step) / (0.4 * STEPS))
            )
        optimizer.zero_grad()
        loss(model, batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def loss(model: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    logits = model(tokens[:, :-1].to(torch.int32))
    return functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def bigram_loss(train: np.ndarray, held_out: np.ndarray, vocabulary: int) -> float:
    single = np.bincount(train.ravel(), minlength=vocabulary) + 0.5
    pairs = np.zeros((vocabulary, vocabulary))
    np.add.at(pairs, (train[:, :-1].ravel(), train[:, 1:].ravel()), 1)
    pairs = (pairs + 2 * single / single.sum()) / (pairs.sum(axis=1, keepdims=True) + 2)
    return float(-np.log(pairs[held_out[:, :-1], held_out[:, 1:]]).mean())


@pytest.mark.slow
def test_memory_pays_and_attention_pays_more() -> None:
    language = Language(SEED, LanguageSettings(train=1, validation=1))
    train = language.sample("train", BATCH * STEPS).tokens.astype(np.int64)
    sample = language.sample("validation", 400)
    held_out = sample.tokens.astype(np.int64)
    losses = {}
    for name, rate in (("lm", 3e-3), ("rnn", 6e-3)):
        model = train_model(name, torch.from_numpy(train), rate)
        with torch.no_grad():
            losses[name] = float(loss(model, torch.from_numpy(held_out)))
    bigram = bigram_loss(train, held_out, language.settings.vocabulary)
    print(f"bigram {bigram:.3f}, {losses}, bound {lower_bound(sample):.3f}")
    assert losses["rnn"] <= bigram - 0.2
    assert losses["lm"] <= losses["rnn"] - 0.05
    assert losses["lm"] >= lower_bound(sample)


@pytest.mark.parametrize("suite", ["quick", "standard", "large"])
@pytest.mark.parametrize("name", ["lm", "rnn"])
def test_every_suite_declares_what_its_data_are(name: str, suite: str) -> None:
    size = registry.workload(name).at(suite)
    assert size.train_examples == data_of(size).settings["train"]
    assert size.sizes["classes"] == data_of(size).settings["vocabulary"]
    assert len(size.variants) >= 3
    assert all(size.sizes_of(variant) != size.sizes for variant in size.variants)
