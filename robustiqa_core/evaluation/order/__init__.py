"""Does the order of photos survive? Each photo attacked against its rank, and what is left of the order."""

from robustiqa_core.evaluation.order.figures import OrderFigures, order_figures
from robustiqa_core.evaluation.order.measuring import measure_order
from robustiqa_core.evaluation.order.plan import STRENGTHS, OrderPlan, RankedPhoto, spread_evenly
from robustiqa_core.evaluation.order.records import OrderRow
from robustiqa_core.evaluation.order.report import OrderReport, order_report

__all__ = [
    "STRENGTHS",
    "OrderFigures",
    "OrderPlan",
    "OrderReport",
    "OrderRow",
    "RankedPhoto",
    "measure_order",
    "order_figures",
    "order_report",
    "spread_evenly",
]
