"""The LightningModule: in-batch contrastive loss on XTR or MaxSim scores, held near the base model."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder.scoring import XTRScores, mean_colbert_scores
from torch import Tensor
from torch.nn import functional

from training.data import TokenBatch
from training.model import adapter_of
from training.recipe import Recipe

Features = dict[str, Any]


class LateInteraction(lightning.LightningModule):
    """Trains the adapter of `encoder`.

    The loss is the cross-entropy of each query's scores over the documents of its batch, its own
    document being right; scores are XTR's (Lee et al. 2023: only token matches that a top-k
    retrieval over the batch would find count) or MaxSim's (Khattab and Zaharia 2020), both averaged
    over query tokens and divided by the temperature.
    """

    def __init__(self, encoder: MultiVectorEncoder, recipe: Recipe, *, total_steps: int) -> None:
        super().__init__()
        self.strict_loading = False  # a resume state holds the adapter only
        self.encoder = encoder
        self.recipe = recipe
        self._total_steps = total_steps
        self.history: list[dict[str, float]] = []
        xtr = recipe.objective.scoring == "xtr"
        self._scores = XTRScores(recipe.objective.top_k) if xtr else mean_colbert_scores

    def training_step(self, batch: TokenBatch, batch_idx: int) -> Tensor:
        """One batch of token ids -> its loss."""
        queries, documents = batch
        objective = self.recipe.objective
        query_vectors, query_mask = self._embed([queries], "query")
        document_vectors, document_mask = self._embed(documents, "document")
        scores = self._scores(
            query_vectors,
            document_vectors.unsqueeze(1),
            queries_mask=query_mask,
            documents_mask=document_mask.unsqueeze(1),
        )
        target = torch.arange(len(scores), device=scores.device)
        loss = functional.cross_entropy(scores / objective.temperature, target)
        found = {
            "contrastive": loss,
            "in_batch_P@1": (scores.argmax(dim=1) == target).float().mean(),
        }
        if objective.feature_weight:
            drift = self._drift([queries], "query", query_vectors, query_mask)
            drift = drift + self._drift(documents, "document", document_vectors, document_mask)
            found["drift"] = drift
            loss = loss + objective.feature_weight * drift
        found["loss"] = loss
        self.log_dict({f"train/{name}": value for name, value in found.items()}, prog_bar=True)
        step = {name: round(float(value.detach()), 6) for name, value in found.items()}
        self.history.append({"step": self.global_step, **step})
        return loss

    def _embed(self, chunks: list[Features], task: str) -> tuple[Tensor, Tensor]:
        """Unit token vectors `(batch, tokens, dim)` and their scoring mask `(batch, tokens)`.

        Each chunk runs at its own width; rows do not interact, so chunking changes no vector.
        """
        outputs = [self.encoder(dict(chunk), task=task) for chunk in chunks]
        masks = [output["attention_mask"].bool() for output in outputs]
        width = max(mask.shape[1] for mask in masks)
        vectors = [
            functional.pad(output["token_embeddings"].float(), (0, 0, 0, width - mask.shape[1]))
            for output, mask in zip(outputs, masks, strict=True)
        ]
        padded = [functional.pad(mask, (0, width - mask.shape[1])) for mask in masks]
        return torch.cat(vectors), torch.cat(padded)

    def _drift(self, chunks: list[Features], task: str, vectors: Tensor, mask: Tensor) -> Tensor:
        """Mean squared distance of the token vectors to those of the base model, a scalar."""
        with torch.no_grad(), adapter_of(self.encoder).disable_adapter():
            base, _ = self._embed(chunks, task)
        return (vectors - base).square().sum(dim=-1)[mask].mean()

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
