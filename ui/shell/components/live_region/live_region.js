/**
 * Says a sentence to who cannot see that the page has changed: a region that is there before, and gets another text.
 *
 * `data`: {said: text}.
 */
export default function ({ data, parentElement }) {
  const region = parentElement.querySelector(".said");
  if (region.textContent !== data.said) {
    region.textContent = data.said;
  }
}
