"""Every figure of the lab: ``plot_x(data, *, ax=None, **options) -> Axes``. Knows only data frames and arrays."""

from dianet_lab.plots.arms import plot_arms
from dianet_lab.plots.attribution import (
    plot_against_ablation,
    plot_attribution_by_layer,
    plot_class_layers,
    plot_convergence,
    plot_stage_effects,
)
from dianet_lab.plots.cell import plot_cell_diagram
from dianet_lab.plots.claims import plot_ledger
from dianet_lab.plots.connected import plot_by_block, plot_connected
from dianet_lab.plots.costs import plot_accuracy_against
from dianet_lab.plots.depth import plot_accuracy_by_depth, plot_cost_by_depth
from dianet_lab.plots.detections import plot_detections
from dianet_lab.plots.dots import plot_by_row
from dianet_lab.plots.epochs import plot_gates_by_epoch
from dianet_lab.plots.explorer import plot_class_odds, plot_gate_channels, plot_layer_effects, plot_stage_gates
from dianet_lab.plots.forest import plot_differences, plot_effects
from dianet_lab.plots.gates import (
    plot_gate_map,
    plot_image_walk,
)
from dianet_lab.plots.history import plot_history
from dianet_lab.plots.integration import plot_importance_maps, plot_scores
from dianet_lab.plots.layers import (
    plot_activation_ranges,
    plot_class_share,
    plot_gate_distribution,
    plot_gate_variation,
)
from dianet_lab.plots.memory import plot_by_distance
from dianet_lab.plots.networks import plot_blocks, plot_fine_tuning, plot_units_by_depth
from dianet_lab.plots.rates import plot_rates
from dianet_lab.plots.recipes import plot_recipes
from dianet_lab.plots.similarity import (
    add_arms_key,
    plot_neighbours,
    plot_similarity,
    plot_similarity_by_distance,
    plot_similarity_effects,
)
from dianet_lab.plots.stability import plot_phase, plot_phases, plot_seed_means
from dianet_lab.plots.style import ARM_STYLES, arm_style, set_style
from dianet_lab.plots.training import plot_gate_training, plot_gradients
from dianet_lab.plots.trajectories import plot_trajectories
from dianet_lab.plots.views import plot_class_maps, plot_gate_maps, plot_image_walks
from dianet_lab.plots.wiring import draw_wiring, plot_stage_schematic, plot_wirings

__all__ = [
    "ARM_STYLES",
    "add_arms_key",
    "arm_style",
    "draw_wiring",
    "plot_accuracy_against",
    "plot_accuracy_by_depth",
    "plot_activation_ranges",
    "plot_against_ablation",
    "plot_arms",
    "plot_attribution_by_layer",
    "plot_blocks",
    "plot_by_block",
    "plot_by_distance",
    "plot_by_row",
    "plot_cell_diagram",
    "plot_class_layers",
    "plot_class_maps",
    "plot_class_odds",
    "plot_class_share",
    "plot_connected",
    "plot_convergence",
    "plot_cost_by_depth",
    "plot_detections",
    "plot_differences",
    "plot_effects",
    "plot_fine_tuning",
    "plot_gate_channels",
    "plot_gate_distribution",
    "plot_gate_map",
    "plot_gate_maps",
    "plot_gate_training",
    "plot_gate_variation",
    "plot_gates_by_epoch",
    "plot_gradients",
    "plot_history",
    "plot_image_walk",
    "plot_image_walks",
    "plot_importance_maps",
    "plot_layer_effects",
    "plot_ledger",
    "plot_neighbours",
    "plot_phase",
    "plot_phases",
    "plot_rates",
    "plot_recipes",
    "plot_scores",
    "plot_seed_means",
    "plot_similarity",
    "plot_similarity_by_distance",
    "plot_similarity_effects",
    "plot_stage_effects",
    "plot_stage_gates",
    "plot_stage_schematic",
    "plot_trajectories",
    "plot_units_by_depth",
    "plot_wirings",
    "set_style",
]
