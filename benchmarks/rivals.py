"""The same algorithms in other packages, which come with the extras `dev` and `bench`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rival:
    """An optimizer class of another package."""

    package: str
    name: str
    arguments: dict[str, float] = field(default_factory=dict)
    matrices: bool = False
    """Whether it accepts only matrices."""
    group: dict[str, bool] = field(default_factory=dict)
    """Further keys of its parameter group."""


PO = "pytorch_optimizer"


# NAdam follows another momentum schedule than NAdamW, and the three called Kron or PSGD fit their
# factors by different rules: they are the nearest that there are.
RIVALS: dict[str, tuple[Rival, ...]] = {
    "adagrad": (Rival("torch.optim", "Adagrad", {"lr": 0.01, "fused": True}),),
    "adam": (Rival("torch.optim", "Adam", {"fused": True}),),
    "adamc": (Rival(PO, "AdamC"),),
    "adamw": (Rival("torch.optim", "AdamW", {"fused": True}), Rival("heavyball", "AdamW")),
    "d_adaptation": (Rival(PO, "DAdaptAdam"),),
    "heavy_ball": (Rival("torch.optim", "SGD", {"momentum": 0.9, "fused": True}),),
    "lars": (Rival(PO, "LARS"),),
    "muon": (
        Rival("torch.optim", "Muon", matrices=True),
        Rival(PO, "Muon", matrices=True, group={"use_muon": True}),
        Rival("heavyball", "Muon", matrices=True),
    ),
    "nadamw": (Rival("torch.optim", "NAdam"),),
    "nesterov": (Rival("torch.optim", "SGD", {"momentum": 0.9, "nesterov": True, "fused": True}),),
    "prodigy": (Rival("prodigyopt", "Prodigy"), Rival(PO, "Prodigy")),
    "psgd": (Rival(PO, "Kron"), Rival("heavyball", "PSGDKron")),
    "rmsprop": (Rival("torch.optim", "RMSprop"),),
    "schedule_free_adamw": (
        Rival("schedulefree", "AdamWScheduleFree"),
        Rival(PO, "ScheduleFreeAdamW"),
    ),
    "schedule_free_sgd": (
        Rival("schedulefree", "SGDScheduleFree", {"lr": 0.1}),
        Rival(PO, "ScheduleFreeSGD", {"lr": 0.1}),
    ),
    "sgd": (Rival("torch.optim", "SGD", {"lr": 0.1, "fused": True}),),
    "shampoo": (
        Rival(PO, "Shampoo", {"preconditioning_compute_steps": 20}),
        Rival(PO, "ScalableShampoo", {"preconditioning_compute_steps": 20}),
    ),
    "signsgd": (Rival(PO, "SignSGD"),),
    "soap": (
        Rival(PO, "SOAP", {"precondition_frequency": 20}),
        Rival("heavyball", "SOAP", {"precondition_frequency": 20}),
    ),
    "splus": (Rival(PO, "SPlus", {"inverse_steps": 50}),),
    "swats": (Rival(PO, "SWATS"),),
}
