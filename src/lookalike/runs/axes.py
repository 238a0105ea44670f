"""What a GAN is in words, axis by axis: for `describe`, and for the record of a run."""

from __future__ import annotations

from lookalike.game.method import Method, when
from lookalike.game.share import EveryThird
from lookalike.game.streams import Stream

UPDATES = {"together": "all groups together", "apart": "one group after the other"}
REALNESS = {True: "labelled real", False: "labelled fake", None: "without a label of realness"}


def axes(method: Method) -> dict[str, str]:
    """Each axis by its name, with its value in words; several of one axis stand on lines of their own."""
    d_optimiser = method.d_optimiser or method.optimiser
    twins = {twin: twin.method(method) for twin in method.twins}
    said = {
        "D's images": _streams(method.d_sees),
        "G's step": _streams(method.g_plays) + f"\nof {method.g_batch} times the batch" * (method.g_batch > 1),
        "loss": "\n".join(map(str, method.losses)),
        "head": str(method.head),
        "D's updates": f"{method.d_steps} per update of G, on {UPDATES[method.d_updates]}",
        "D's slope": _slope(method),
        "changes of D's images": str(method.diff_augment or ""),
        "latent": str(method.latent),
        "class": f"{method.conditioning}, {method.labels}" if method.conditional else "",
        "encoder": str(method.encoder or "") or "that of a twin" * method.encodes,
        "network": str(method.net),
        "initial weights": method.net.initial_weights,
        "G's optimiser": str(method.optimiser),
        "D's optimiser": str(d_optimiser) if d_optimiser != method.optimiser else "",
        "step sizes": "fall linearly to 0" if method.decay else "",
        "sub-classes": str(method.splitting or ""),
        **{f"{twin.name} twin": _twin(twin_method, when(twin)) for twin, twin_method in twins.items()},
        "G begins": f"with the weights of G of the {method.start} twin" if method.start else "",
        "score": str(method.score),
    }
    return {name: value for name, value in said.items() if value}


def _streams(shown: tuple[tuple[Stream, float | EveryThird], ...]) -> str:
    return "\n".join(f"{stream}, {REALNESS[stream.real]}, share {share:g}" for stream, share in shown)


def _slope(method: Method) -> str:
    """What limits D's slope."""
    norm = "weights divided by their spectral norm" if method.spectral else ""
    return "; ".join(filter(None, (norm, str(method.penalty or "")))) or "free"


def _twin(method: Method, trains: str) -> str:
    """A twin's network and latent, when it trains, and how its encoder learns."""
    said = f"{trains}; {method.net}; z {method.latent}"
    if method.encoder:
        said += f"\n{method.encoder}; {', '.join(map(str, method.losses))}; {method.optimiser}"
    return said
