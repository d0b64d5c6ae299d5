/**
 * Shows two scores as numbers, and as dots on an axis with the band of the model's ordinary scores.
 *
 * `data`: {clean, adversarial, adversarial_name, unrounded, change, share, caption, lowLabel, highLabel: text;
 *          places: {low, high, clean, adversarial}, places on the axis from 0 to 1}.
 */
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".meter");
  const find = (selector) => root.querySelector(selector);
  const write = (selector, text) => {
    find(selector).textContent = text;
  };
  write(".clean .value", data.clean);
  write(".adversarial .value", data.adversarial);
  write(".adversarial .name", data.adversarial_name);
  write(".unrounded", data.unrounded);
  write(".change .value", data.change);
  write(".share", data.share);
  write(".low", data.lowLabel);
  write(".high", data.highLabel);
  write(".unit", data.caption);

  const { low, high, clean, adversarial } = data.places;
  const stretch = (selector, from, to) => {
    const style = find(selector).style;
    style.left = `${100 * Math.min(from, to)}%`;
    style.width = `${100 * Math.abs(to - from)}%`;
  };
  stretch(".band", low, high);
  stretch(".span", clean, adversarial);
  find(".span").style.background =
    `linear-gradient(to ${adversarial >= clean ? "right" : "left"}, var(--st-blue-color), var(--st-orange-color))`;
  find(".dot-clean").style.left = `${100 * clean}%`;
  find(".dot-adversarial").style.left = `${100 * adversarial}%`;
  find(".low").style.left = `${100 * low}%`;
  find(".high").style.right = `${100 * (1 - high)}%`;
}
