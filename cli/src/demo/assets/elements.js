// Builds elements. Text is only ever set as text: nothing a server or a provider says becomes markup.

/** An element with properties (`class`, `dataset` and plain ones) and children (nodes, text, or nothing). */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "class") made.className = value;
    else made[name] = value;
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== ""));
  return made;
}

/** One of the symbols of the host page, decorative. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A folded block under a button-like summary. */
export function folded(summary, ...children) {
  return element("details", { class: "raw" }, element("summary", {}, summary), ...children);
}

/** `4:07`, from milliseconds. */
export function clockText(millis) {
  const seconds = Math.max(0, Math.ceil(millis / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
