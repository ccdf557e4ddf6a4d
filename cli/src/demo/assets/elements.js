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

/** Replaces what `place` shows by one notice. */
export function notify(place, kind, title, ...rest) {
  place.replaceChildren(element("div", { class: `notice ${kind}` }, element("strong", {}, title), rest));
}

/** Shows an error of the client in `place`: `words[code]` where there are any, else its own. */
export function notifyError(place, error, words = {}) {
  const raw = error.problem ? folded("Problem document", element("pre", { tabIndex: 0 }, JSON.stringify(error.problem, null, 2))) : "";
  notify(place, "bad", error.problem?.title ?? "This did not work", words[error.code] ?? error.problem?.detail ?? error.message,
    element("p", { class: "small soft mono" }, error.code), raw);
}

/** Runs `work` while `button` says that it is busy; an error goes to `failed`. */
export async function busy(button, work, failed) {
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    failed(error);
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}
