"""What can be read of the charts on a page: the contrast of their text, and what their button covers."""

from playwright.sync_api import Page

LEAST_CONTRAST = 4.5
"""What WCAG 2.2 AA asks of small text."""
_TEXTS = """() => {
  const parse = colour => {
    const found = colour.match(/[\\d.]+/g).map(Number);
    return {rgb: found.slice(0, 3), alpha: found.length > 3 ? found[3] : 1};
  };
  const light = rgb => {
    const parts = rgb.map(value => value / 255).map(
      value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = element => {
    const note = element.closest('.annotation-text-g');
    const box = note && note.querySelector('rect.bg');
    if (box) {
      const fill = parse(getComputedStyle(box).fill);
      if (fill.alpha > 0 && getComputedStyle(box).fillOpacity > 0) return fill.rgb;
    }
    for (let at = element; at; at = at.parentElement) {
      const ground = getComputedStyle(at).backgroundColor;
      if (ground.startsWith('rgb') && parse(ground).alpha > 0.99) return parse(ground).rgb;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('.js-plotly-plot svg text')]
    .filter(element => element.textContent.trim() && element.getBoundingClientRect().width)
    .filter(element => !element.classList.contains('bartext-inside'))
    .map(element => {
      const style = getComputedStyle(element), fill = parse(style.fill), ground = behind(element);
      const alpha = fill.alpha * style.fillOpacity * style.opacity;
      const seen = fill.rgb.map((value, place) => alpha * value + (1 - alpha) * ground[place]);
      const [high, low] = [light(seen), light(ground)].sort((a, b) => b - a);
      return {text: element.textContent, contrast: (high + 0.05) / (low + 0.05)};
    });
}"""
_COVERED = """() => {
  const cross = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  return [...document.querySelectorAll('.js-plotly-plot')].flatMap(plot => {
    const button = plot.querySelector('.modebar-btn');
    if (!button) return [];
    const there = button.getBoundingClientRect();
    return [...plot.querySelectorAll('svg text, .scatterlayer path.point')]
      .filter(element => element.getBoundingClientRect().width)
      .filter(element => cross(there, element.getBoundingClientRect()))
      .map(element => element.textContent || 'a point');
  });
}"""


def faint_texts(page: Page) -> list[str]:
    """Return the texts of all charts on the page whose contrast is too low, with it."""
    found = page.evaluate(_TEXTS)
    assert found, "there is no text in any chart"
    return [f"{one['text']}: {one['contrast']:.2f}" for one in found if one["contrast"] < LEAST_CONTRAST]


def covered_by_the_button(page: Page) -> list[str]:
    """Return what lies under the button that saves a chart."""
    return list(page.evaluate(_COVERED))
