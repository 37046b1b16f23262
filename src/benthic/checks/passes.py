"""One pass over the data: every gauge, one backward pass a batch, accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from benthic.checks.bypass import gradient_before
from benthic.errors import BenthicError, InputError, ModelError
from benthic.forward import Forward, iterate_batches, output_rows
from benthic.supervision import SPLITS, Supervision
from benthic.trace import LayerReading, RelationReading, Trace

Loss = Callable[[Any, Any], Tensor]
"""A scalar loss from a model's output and the batch that produced it."""

_LOGITS = (
    "give a model with a row of logits per label and a column per class, or say what "
    "its output means: loss=lambda output, batch: …"
)


@dataclass(frozen=True)
class Reading:
    """What one pass over the data showed.

    Args:
        layers: Gauges by layer and node type, in the order of the forward pass.
        relations: How alike the messages of two relations are.
        num_hops: How far the model reaches in edges; None if everywhere, or if none
            of its layers is a ``MessagePassing`` whose hops can be counted.
        metrics: Accuracy by split; None where undefined.
        chance: Held-out accuracy of always answering the most frequent training class.
        num_held_out: Held-out labels, over all batches.
        fed_gradient_norm: Largest loss gradient by what feeds the first layer, or by
            what that is made from, around the layers; None where it is data.
    """

    layers: tuple[LayerReading, ...]
    relations: tuple[RelationReading, ...]
    num_hops: int | None
    metrics: dict[str, float | None]
    chance: float | None = None
    num_held_out: int = 0
    fed_gradient_norm: float | None = None

    @property
    def gradient_ratio(self) -> float | None:
        """Loss gradient at the first layer's states over that at the last one's.

        Or at what feeds the first layer, where that is more: an initial residual
        brings the gradient there around all the layers.
        """
        ratio = _first_over_last([x.state_gradient_norm for x in self.layers])
        fed = self.fed_gradient_norm
        if ratio is None or fed is None:
            return ratio
        fed_ratio = _first_over_last([fed, self.layers[-1].state_gradient_norm])
        return max(ratio, fed_ratio or 0.0)


def _first_over_last(norms: Sequence[float | None]) -> float | None:
    known = [norm for norm in norms if norm is not None]
    if len(known) < 2 or not all(map(math.isfinite, known)):
        return None
    if known[-1] == 0.0:
        return 0.0 if known[0] == 0.0 else float("inf")
    return known[0] / known[-1]


@dataclass(frozen=True)
class Pass:
    """How to run a model over the data.

    Args:
        data: A graph, a batch, or a loader.
        forward: How to call the model on a batch.
        loss: Loss of an output and its batch; cross-entropy if None.
        layers: Names of the layers to read instead of those found.
        seed: Seeds what is random in the pass.
    """

    data: Any
    forward: Forward
    loss: Loss | None
    layers: Sequence[str] | None
    seed: int

    def read(
        self,
        model: nn.Module,
        *,
        change: Callable[[Any], Any] = lambda batch: batch,
        with_probe: bool = True,
    ) -> Reading:
        """Runs ``model`` forward and backward once, in the mode it is in.

        Args:
            model: The model or a copy; its ``.grad`` is not touched.
            change: What to do to each batch before the model sees it.
            with_probe: Whether to fit a linear probe to each layer.

        Raises:
            InputError: If the model does not fit the data or its labels.
            ModelError: If the model raises.
        """
        right = dict.fromkeys(SPLITS, 0)
        total = dict.fromkeys(SPLITS, 0)
        labels: list[Supervision] = []
        fed: list[float] = []
        with (
            forked_randomness(model, self.seed),
            torch.enable_grad(),
            Trace(model, layers=self.layers) as trace,
        ):
            first = next(iter(trace.found[0].modules.values()))
            for batch in iterate_batches(self.data):
                supervision = Supervision.of(batch)
                trace.supervision = supervision if with_probe else None
                with gradient_before(first) as norms:
                    output = self.run(model, change(batch))
                    rows = self._node_rows(output, supervision)
                    self._backward(model, output, batch, rows, supervision)
                fed += norms
                labels += [] if supervision is None else [supervision]
                if supervision is not None and rows is not None:
                    for split, (hits, count) in supervision.correct(rows).items():
                        right[split] += hits
                        total[split] += count
        metrics = {s: right[s] / total[s] if total[s] else None for s in SPLITS}
        counted = any(layer.convs for layer in trace.found)
        return Reading(
            tuple(trace.layers),
            tuple(trace.relations),
            trace.num_hops if counted else None,
            metrics,
            *_chance(labels),
            max(fed, default=None),
        )

    def run(self, model: nn.Module, batch: Any) -> Any:
        """Calls the model on one batch.

        Args:
            model: The model or a copy.
            batch: One batch.

        Raises:
            InputError: If the batch is not what the model takes.
            ModelError: If the model raises; names the exception.
        """
        try:
            return self.forward(model, batch)
        except BenthicError:
            raise
        except (Exception, SystemExit) as error:
            _refuse_width(model, batch, error)
            raise ModelError(failure(model, error)) from error

    def _backward(
        self,
        model: nn.Module,
        output: Any,
        batch: Any,
        rows: Tensor | None,
        labels: Supervision | None,
    ) -> None:
        parameters = [p for p in model.parameters() if p.requires_grad]
        loss = self._loss_of(output, batch, rows, labels)
        if parameters and loss is not None and loss.requires_grad:
            try:
                torch.autograd.grad(loss, parameters, allow_unused=True)
            except RuntimeError as error:
                raise ModelError(f"{failure(model, error)} (backward)") from error

    def _loss_of(
        self, output: Any, batch: Any, rows: Tensor | None, labels: Supervision | None
    ) -> Tensor | None:
        if self.loss is not None:
            return _user_loss(self.loss, output, batch)
        if labels is not None and rows is not None:
            trained_on = labels.masks.get("train")
            nothing = trained_on is not None and not trained_on.any()
            return None if nothing else labels.loss(rows)
        # Without labels, a random direction of the output stands for the loss.
        is_dict = isinstance(output, Mapping)
        out = output_rows(next(iter(output.values())) if is_dict else output)
        signs = torch.randint_like(out, 2).mul(2).sub(1)
        loss: Tensor = (out * signs).sum() / max(out.numel(), 1) ** 0.5
        return loss

    def _node_rows(self, output: Any, labels: Supervision | None) -> Tensor | None:
        """One row of logits per label; None where the output is something else."""
        if labels is None:
            return None
        is_other = isinstance(output, Mapping) and labels.node_type not in output
        if is_other and (labels.node_type is not None or self.loss is not None):
            return None
        rows = output_rows(output, labels.node_type)
        fault = _disagreement(rows, labels)
        # A loss of the user's own knows what the output means.
        if fault and self.loss is None:
            raise InputError("model", fault, _LOGITS)
        if fault or rows.dim() != 2 or rows.size(0) != labels.y.size(0):
            return None
        if labels.num_classes <= max(rows.size(-1), 2):
            return rows
        if self.loss is not None:
            return None
        raise InputError(
            "y",
            f"label {labels.num_classes - 1}, where the model has {rows.size(-1)} "
            "outputs",
            "number the classes from 0, or give the model an output for each",
        )


@contextmanager
def forked_randomness(model: nn.Module, seed: int) -> Iterator[None]:
    """Inside, random numbers follow ``seed``; afterwards they go on as before.

    Args:
        model: Whose devices count.
        seed: Seeds every generator inside.

    Example:
        >>> before = torch.get_rng_state()
        >>> with forked_randomness(nn.Identity(), seed=1):
        ...     _ = torch.rand(9)
        >>> torch.equal(torch.get_rng_state(), before)
        True
    """
    devices = list({p.device for p in model.parameters() if p.is_cuda})
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def failure(model: nn.Module, error: BaseException) -> str:
    """What a model raised, in one line.

    Args:
        model: The model.
        error: What it raised.

    Example:
        >>> failure(nn.Identity(), KeyError("x"))
        "Identity raised KeyError: 'x'"
    """
    return f"{type(model).__name__} raised {_brief(error)}"


def _brief(error: BaseException) -> str:
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _refuse_width(model: nn.Module, batch: Any, error: BaseException) -> None:
    """Blames the features where their number is not what the model takes."""
    x = batch.get("x") if isinstance(batch, Data) else None
    if not torch.is_tensor(x) or x.dim() != 2:
        return
    for module in model.modules():
        width = getattr(module, "in_channels", getattr(module, "in_features", None))
        if isinstance(width, int) and width > 0:
            if width != x.size(1):
                raise InputError(
                    "x",
                    f"{x.size(1)} features for {type(module).__name__} with {width} "
                    f"input channels ({failure(model, error)})",
                    "give the features that the model was built for",
                ) from error
            return


def _chance(labels: Sequence[Supervision]) -> tuple[float | None, int]:
    """Accuracy of the most frequent training class, and on how many labels."""
    train, held_out = (
        torch.cat([torch.empty(0, dtype=torch.int64), *(y.cpu() for y in split)])
        for split in (
            [part.y[part.masks["train"]] for part in labels if "train" in part.masks],
            [part.y[part.masks["val"]] for part in labels if "val" in part.masks],
        )
    )
    if not len(train) or not len(held_out):
        return None, len(held_out)
    return float((held_out == train.mode().values).double().mean()), len(held_out)


def _user_loss(loss: Loss, output: Any, batch: Any) -> Tensor:
    remedy = "return one number from the model's output and its batch"
    try:
        value = loss(output, batch)
    except Exception as error:
        found = f"a function that raised {_brief(error)}"
        raise InputError("loss", found, remedy) from error
    if not torch.is_tensor(value) or value.numel() != 1:
        shape = f" of shape {list(value.shape)}" if torch.is_tensor(value) else ""
        found = f"a function that returned a {type(value).__name__}{shape}"
        raise InputError("loss", found, remedy)
    return value.reshape(())


def _disagreement(rows: Tensor, labels: Supervision) -> str:
    """Why these rows cannot be logits for these labels, or nothing."""
    num_labels = labels.y.size(0)
    if rows.dim() != 2 or rows.size(0) != num_labels:
        # Without a held-out mask, the labels may mean whole graphs or edges.
        has_masks = {"val", "test"} & labels.masks.keys()
        shape = f"an output of shape {list(rows.shape)} for {num_labels:,} labels"
        return shape if has_masks else ""
    return ""
