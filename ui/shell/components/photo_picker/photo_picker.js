/**
 * A grid of thumbnails of which one is chosen, or several: radio buttons or checkboxes, so that the keyboard and screen
 * readers work.
 *
 * `data`: {legend, selected: [name], several, photos: [{name, title, url}]}. Choosing one sends the trigger `picked`
 * with its name.
 */
let groups = 0;

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".picker");
  root.dataset.group ||= `photos-${(groups += 1)}`;
  root.querySelector("legend").textContent = data.legend;
  const grid = root.querySelector(".grid");
  const names = JSON.stringify(data.photos);
  if (grid.photos !== names) {
    grid.photos = names;
    grid.replaceChildren(
      ...data.photos.map(({ name, title, url }) => {
        const input = document.createElement("input");
        input.type = data.several ? "checkbox" : "radio";
        input.name = root.dataset.group;
        input.value = name;
        const image = document.createElement("img");
        image.src = url;
        image.alt = title;
        image.title = title;
        const label = document.createElement("label");
        label.append(input, image);
        return label;
      }),
    );
  }
  for (const input of grid.querySelectorAll("input")) {
    input.checked = data.selected.includes(input.value);
    input.onchange = () => setTriggerValue("picked", input.value);
  }
}
