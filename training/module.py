"""The LightningModule: in-batch contrastive loss on XTR or MaxSim scores, held near the base model."""

from __future__ import annotations

from typing import Any, NamedTuple

import lightning
import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder.scoring import XTRScores, mean_colbert_scores
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from common.errors import ProvenderError
from training.data import Features, TokenBatch
from training.model import adapter_of
from training.recipe import Recipe


class Tokens(NamedTuple):
    """Unit token vectors `(texts, tokens, dim)` with their scoring mask `(texts, tokens)`."""

    vectors: Tensor
    mask: Tensor


class LateInteraction(lightning.LightningModule):
    """Trains the adapter of `encoder`.

    The loss is the cross-entropy of each query's scores over the documents of its batch, hard negatives
    included, its own document being right; scores are XTR's (Lee et al. 2023: only token matches that a top-k
    retrieval over the batch would find count) or MaxSim's (Khattab and Zaharia 2020), both averaged
    over query tokens and divided by the temperature. Several processes score their queries with the documents
    of all: the loss and its gradients are those of one process with the whole batch.

    Args:
        teacher: another model whose scores are distilled, where `objective.distillation` names one.
    """

    def __init__(
        self,
        encoder: MultiVectorEncoder,
        recipe: Recipe,
        *,
        total_steps: int,
        teacher: MultiVectorEncoder | None = None,
    ) -> None:
        super().__init__()
        self.strict_loading = False  # a resume state holds the adapter only
        self.encoder = encoder
        self.recipe = recipe
        self._total_steps = total_steps
        # In a list it is no submodule: it is neither trained nor saved, nor made equal among processes.
        self._teacher = [teacher] if teacher is not None else []
        self.history: list[dict[str, float]] = []
        xtr = recipe.objective.scoring == "xtr"
        self._scoring = XTRScores(recipe.objective.top_k) if xtr else mean_colbert_scores

    def training_step(self, batch: TokenBatch, batch_idx: int) -> Tensor:
        """One batch of token ids -> its loss, a scalar.

        Raises:
            ProvenderError: the loss is no number.
        """
        objective = self.recipe.objective
        queries = self._embed(batch.queries, "query")
        documents = self._embed(batch.documents, "document")
        everywhere = self._gather(documents, batch.counts)
        scores = self._score(queries, everywhere, batch.allowed)
        found = {
            "contrastive": functional.cross_entropy(scores / objective.temperature, batch.targets),
            "in_batch_P@1": (scores.argmax(dim=1) == batch.targets).float().mean(),
        }
        loss = found["contrastive"]
        distils = objective.distillation.weight > 0
        base = self._base(batch) if self._needs_base else None
        if base and objective.feature_weight:
            found["drift"] = sum(map(self._drift, (queries, documents), base), loss.new_zeros(()))
            loss = loss + objective.feature_weight * found["drift"]
        if distils:
            taught = self._taught(batch) if self._teacher else base
            assert taught is not None
            found["distillation"] = self._divergence(
                mean_scores(queries, everywhere),
                mean_scores(taught[0], self._gather(taught[1], batch.counts)),
                batch.allowed,
            )
            loss = loss + objective.distillation.weight * found["distillation"]
        found["loss"] = loss
        self._note(found)
        return loss

    @property
    def _needs_base(self) -> bool:
        objective = self.recipe.objective
        return objective.feature_weight > 0 or (
            objective.distillation.weight > 0 and not self._teacher
        )

    def _note(self, found: dict[str, Tensor]) -> None:
        """Log the figures of a step, means over all processes, once they are seen to be numbers."""
        values = torch.stack([each.detach().float() for each in found.values()])
        if self._world > 1:
            values = self._everywhere(values).mean(dim=0)
        step = dict(zip(found, values.tolist(), strict=True))
        if not values.isfinite().all():
            raise self._diverged("The loss", f": {step}")
        self.log_dict({f"train/{name}": value for name, value in step.items()}, prog_bar=True)
        rounded = {name: round(value, 6) for name, value in step.items()}
        self.history.append({"step": self.global_step, **rounded})

    @property
    def _world(self) -> int:
        return self.trainer.world_size if self._trainer is not None else 1

    def _embed(
        self, chunks: list[Features], task: str, encoder: MultiVectorEncoder | None = None
    ) -> Tokens:
        """The token vectors of all texts of `chunks`.

        Each chunk runs at its own width; rows do not interact, so chunking changes no vector. With
        `objective.cached` a chunk's activations are dropped and computed again for its gradients: the memory
        and the two forward passes of GradCache (Gao et al. 2021), inside one backward pass, so that
        accumulation, mixed precision and several processes need nothing of their own.
        """
        model = encoder or self.encoder

        def forward(chunk: Features) -> dict[str, Any]:
            return model(dict(chunk), task=task)

        cached = self.recipe.objective.cached and torch.is_grad_enabled()
        outputs = [
            checkpoint(forward, chunk, use_reentrant=False) if cached else forward(chunk)
            for chunk in chunks
        ]
        masks = [output["attention_mask"].bool() for output in outputs]
        width = max(mask.shape[1] for mask in masks)
        vectors = [
            functional.pad(output["token_embeddings"].float(), (0, 0, 0, width - mask.shape[1]))
            for output, mask in zip(outputs, masks, strict=True)
        ]
        padded = [functional.pad(mask, (0, width - mask.shape[1])) for mask in masks]
        return Tokens(torch.cat(vectors), torch.cat(padded))

    def _gather(self, own: Tokens, counts: list[int]) -> Tokens:
        """The documents of all processes, in the order of `TokenBatch`; gradients flow back to each."""
        if self._world == 1:
            return own
        width = int(self._everywhere(torch.tensor(own.mask.shape[1], device=self.device)).max())
        missing, rows = width - own.mask.shape[1], max(counts) - len(own.mask)
        vectors = functional.pad(own.vectors, (0, 0, 0, missing, 0, rows))
        mask = functional.pad(own.mask, (0, missing, 0, rows))
        pairs = zip(self._everywhere(vectors), self._everywhere(mask), counts, strict=True)
        whole = [(some[:count], masks[:count]) for some, masks, count in pairs]
        return Tokens(*(torch.cat(parts) for parts in zip(*whole, strict=True)))

    def _everywhere(self, own: Tensor) -> Tensor:
        """`own` of every process, `(processes, …)`, with gradients where they are kept."""
        found = self.all_gather(own, sync_grads=torch.is_grad_enabled() and own.requires_grad)
        assert isinstance(found, Tensor)
        return found

    def _score(self, queries: Tokens, documents: Tokens, allowed: Tensor) -> Tensor:
        """`(queries, documents)`, minus infinity where a document does not count."""
        scores = self._scoring(
            queries.vectors,
            documents.vectors.unsqueeze(1),
            queries_mask=queries.mask,
            documents_mask=documents.mask.unsqueeze(1),
        )
        return scores.masked_fill(~allowed, -torch.inf)

    def _base(self, batch: TokenBatch) -> tuple[Tokens, Tokens]:
        """Queries and documents as this stage's base model embeds them."""
        with torch.no_grad(), adapter_of(self.encoder).disable_adapter():
            return self._embed(batch.queries, "query"), self._embed(batch.documents, "document")

    def _taught(self, batch: TokenBatch) -> tuple[Tokens, Tokens]:
        """Queries and documents as the teacher embeds them."""
        [teacher] = self._teacher
        assert batch.teacher is not None
        queries, documents = batch.teacher
        with torch.no_grad():
            teacher.to(self.device)
            return (
                self._embed(queries, "query", teacher),
                self._embed(documents, "document", teacher),
            )

    def _drift(self, tokens: Tokens, base: Tokens) -> Tensor:
        """Mean squared distance of all processes' token vectors to those of the base model, a scalar."""
        squares = (tokens.vectors - base.vectors).square().sum(dim=-1)[tokens.mask]
        if self._world == 1:
            return squares.mean()
        # Gradients are averaged over processes, whose numbers of tokens differ.
        total = self._everywhere(torch.tensor(len(squares), device=self.device)).sum()
        return squares.sum() * self._world / total

    def _divergence(self, scores: Tensor, taught: Tensor, allowed: Tensor) -> Tensor:
        """KL divergence of the order of the documents from the teacher's, a scalar."""
        temperature = self.recipe.objective.distillation.temperature
        # Minus infinity on both sides would give no number: a finite floor gives the same zero share.
        floor = torch.finfo(scores.dtype).min
        ours = (scores / temperature).masked_fill(~allowed, floor).log_softmax(dim=1)
        theirs = (taught / temperature).masked_fill(~allowed, floor).softmax(dim=1)
        return functional.kl_div(ours, theirs, reduction="batchmean")

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        """Stop before a gradient that is no number is in the weights. In fp16 the scaler passes over it."""
        if self.trainer.precision == "16-mixed":
            return
        gradients = [each.grad for each in self.parameters() if each.grad is not None]
        if not torch.nn.utils.get_total_norm(gradients).isfinite():
            raise self._diverged("A gradient", "")

    def _diverged(self, what: str, figures: str) -> ProvenderError:
        return ProvenderError(
            f"{what} is no number any more{figures}.",
            where=f"step {self.global_step} in epoch {self.current_epoch}",
            remedy="Lower learning_rate, or set precision to fp32. What was saved before is still there.",
        )

    def configure_optimizers(self) -> Any:
        """AdamW, linear warm-up, then linear decay to zero."""
        trainable = [each for each in self.parameters() if each.requires_grad]
        optimizer = torch.optim.AdamW(trainable, lr=self.recipe.learning_rate, weight_decay=0.01)
        # Asking the trainer for this number would set its data up before a resume state is restored.
        total = self._total_steps
        warmup = max(1, round(total * self.recipe.warmup_share))

        def factor(step: int) -> float:
            return min((step + 1) / warmup, max(0.0, (total - step) / max(1, total - warmup)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what training changes; the frozen base is loaded from its own place."""
        trainable = {name for name, each in self.named_parameters() if each.requires_grad}
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {key: state[key] for key in state if key in trainable}
        checkpoint["history"] = self.history
        checkpoint["rng"] = torch.get_rng_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = list(checkpoint["history"])
        torch.set_rng_state(checkpoint["rng"])


def mean_scores(queries: Tokens, documents: Tokens) -> Tensor:
    """MaxSim averaged over query tokens, `(queries, documents)`: what search scores by."""
    return mean_colbert_scores(
        queries.vectors,
        documents.vectors.unsqueeze(1),
        queries_mask=queries.mask,
        documents_mask=documents.mask.unsqueeze(1),
    )
