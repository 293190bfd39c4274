"""`expert_general` … `expert_personal`: an adapter a domain, each on the base model itself."""

from assets.checkpoints import checkpoint_asset
from common.stages import ORDER

EXPERT_ASSETS = [checkpoint_asset(name, expert=True) for name in ORDER]
