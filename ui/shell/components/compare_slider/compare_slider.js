/**
 * Shows two photos of the same size on top of each other, with a divider between them.
 *
 * The divider is a real `<input type="range">`, so that mouse, touch, keyboard and screen readers all work.
 * `data`: {left: Picture, rights: Picture[], hint}, where Picture = {label, alt, url, width, height}.
 */
const ZOOMS = [
  { value: 0, label: "Fit" },
  { value: 2, label: "2 ×" },
  { value: 4, label: "4 ×" },
  { value: 8, label: "8 ×" },
];

let groups = 0;

/** Fills a radio group, keeping the chosen entry if it still exists. */
function fillChoices(group, options, chosen, onChoose) {
  group.dataset.name ||= `compare-${(groups += 1)}`;
  const focused = group.getRootNode().activeElement?.value;
  group.replaceChildren(
    ...options.map(({ value, label }) => {
      const input = document.createElement("input");
      input.type = "radio";
      input.name = group.dataset.name;
      input.value = String(value);
      input.checked = value === chosen;
      input.onchange = () => onChoose(value);
      const wrapper = document.createElement("label");
      wrapper.append(input, label);
      return wrapper;
    }),
  );
  group.hidden = options.length < 2;
  if (focused !== undefined) group.querySelector(`input[value="${focused}"]`)?.focus();
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".compare");
  const find = (selector) => root.querySelector(selector);
  const [stage, viewport, canvas] = [".stage", ".viewport", ".canvas"].map(find);
  const [leftImage, rightImage, divider, range] = [".left", ".right", ".divider", ".range"].map(find);
  const state = (root.state ??= { right: 0, zoom: 0 });
  const { left, rights } = data;
  // A picture that was changed on the page, such as a stronger enlargement, is the one that its visitor wants to see.
  const changed = rights.findIndex(({ url }, index) => url !== state.urls?.[index]);
  if (state.left === left.url && changed >= 0) state.right = changed;
  state.right = Math.min(state.right, rights.length - 1);
  [state.left, state.urls] = [left.url, rights.map(({ url }) => url)];

  function drawDivider() {
    const share = Number(range.value) / 100;
    const at = share * viewport.clientWidth;
    divider.style.left = `${at}px`;
    rightImage.style.clipPath = `inset(0 0 0 ${viewport.scrollLeft + at}px)`;
    const shown = rights[state.right].label;
    range.setAttribute("aria-valuetext", `${Math.round(share * 100)} % ${left.label}, rest ${shown}`);
  }

  function drawPictures() {
    const right = rights[state.right];
    stage.style.setProperty("--ratio", left.width / left.height);
    for (const [image, picture] of [[leftImage, left], [rightImage, right]]) {
      if (image.getAttribute("src") !== picture.url) image.src = picture.url;
      image.alt = picture.alt;
    }
    find(".tag-left").textContent = left.label;
    find(".tag-right").textContent = right.label;
    range.setAttribute("aria-label", `Divider: ${left.label} to the left, ${right.label} to the right`);
    drawDivider();
  }

  function drawZoom() {
    const middleX = (viewport.scrollLeft + viewport.clientWidth / 2) / canvas.clientWidth;
    const middleY = (viewport.scrollTop + viewport.clientHeight / 2) / canvas.clientHeight;
    root.classList.toggle("zoomed", state.zoom > 0);
    root.classList.toggle("pixels", state.zoom > 1);
    viewport.tabIndex = state.zoom > 0 ? 0 : -1;
    if (state.zoom > 0) {
      viewport.setAttribute("role", "region");
      viewport.setAttribute("aria-label", "Zoomed photo; the arrow keys move it");
    } else {
      viewport.removeAttribute("role");
      viewport.removeAttribute("aria-label");
    }
    // A zoom counts from the photo's own pixels: at 4 x one of its pixels is four wide on the screen.
    canvas.style.width = state.zoom > 0 ? `${left.width * state.zoom}px` : "100%";
    viewport.scrollLeft = middleX * canvas.clientWidth - viewport.clientWidth / 2;
    viewport.scrollTop = middleY * canvas.clientHeight - viewport.clientHeight / 2;
    drawDivider();
  }

  fillChoices(
    find(".rights"),
    rights.map(({ label }, index) => ({ value: index, label })),
    state.right,
    (index) => {
      state.right = index;
      drawPictures();
    },
  );
  fillChoices(find(".zooms"), ZOOMS, state.zoom, (zoom) => {
    state.zoom = zoom;
    drawZoom();
  });
  find(".hint").textContent = data.hint;

  range.oninput = drawDivider;
  viewport.onscroll = drawDivider;
  viewport.onpointerdown = (event) => {
    if (state.zoom === 0 || event.pointerType !== "mouse") return;
    viewport.setPointerCapture(event.pointerId);
    viewport.onpointermove = (move) => viewport.scrollBy(-move.movementX, -move.movementY);
  };
  viewport.onpointerup = viewport.onpointercancel = () => {
    viewport.onpointermove = null;
  };

  drawPictures();
  drawZoom();
  const observer = new ResizeObserver(drawDivider);
  observer.observe(viewport);
  return () => observer.disconnect();
}
