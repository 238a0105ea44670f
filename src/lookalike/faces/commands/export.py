"""The command that hands a network to other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from lookalike.base.errors import UsageError, show
from lookalike.faces.commands.flags import OUT, Json, Run
from lookalike.faces.console import print_json, say


def export(
    run: Run,
    /,
    *,
    out: Annotated[Path, Parameter(name=OUT, help="The .onnx file that is written; a README.md stands beside it.")],
    part: Annotated[
        Literal["generator", "encoder", "score"] | None,
        Parameter(
            help="What is written: G, the encoder of a GAN that has one, or a score that is a network.",
            show_default="generator, or score where there is none",
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Writes a network of a run as an ONNX file, with a model card."""
    from lookalike.base.files import make_folder, write_bytes
    from lookalike.detect.model import Model
    from lookalike.detect.onnx import as_onnx, network
    from lookalike.report import card
    from lookalike.runs.folder import read_run

    if out.suffix.lower() != ".onnx":
        raise UsageError(f"-o {show(out)}: give a file that ends in .onnx")
    card.refuse_other(out.parent)
    model = Model.load(run)
    chosen = network(model, part)
    made, record = as_onnx(chosen), read_run(run)
    make_folder(out.parent)
    write_bytes(out, made)
    beside = card.write(record, model, chosen, out)
    if json_:
        print_json({"out": str(out), "card": str(beside), "part": chosen.part, "bytes": len(made)})
        return
    say(f"{show(out)}: the {chosen.part}, {len(made) / 1e6:.1f} MB")
    say(f"{show(beside)}: the model card; fill in its licence before you pass it on")
