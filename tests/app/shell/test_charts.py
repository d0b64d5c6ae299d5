"""The button of a chart saves what the visitor chose."""

import json

import pytest
from streamlit.testing.v1 import AppTest


def _page() -> None:
    import plotly.graph_objects as go

    from ui.shell.charts import draw_chart, format_control

    format_control()
    draw_chart(go.Figure(), key="chart", alt="nothing", file="nothing")


@pytest.mark.parametrize(("kind", "scale"), [("svg", 1), ("png", 3)])
def test_the_camera_saves_the_format_that_was_chosen(kind: str, scale: int) -> None:
    page = AppTest.from_function(_page, default_timeout=30).run()
    page.segmented_control(key="chart_format").set_value(kind).run()
    assert not page.exception
    (chart,) = page.get("plotly_chart")
    config = json.loads(chart.proto.config)
    assert config["toImageButtonOptions"] == {"format": kind, "filename": "robustiqa-nothing", "scale": scale}
    assert config["modeBarButtons"] == [["toImage"]]
