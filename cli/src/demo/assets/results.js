// Shows what the API answered. The body is the provider's: whatever shape it has, it is shown as text.

import { element } from "./elements.js";

const first = (object, names) => names.map((name) => object?.[name]).find((value) => value !== undefined && value !== null);
const textOf = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

function moment(value) {
  const parsed = new Date(value?.dateTime ?? value?.date ?? value ?? Number.NaN);
  return Number.isNaN(parsed.valueOf()) ? null : parsed;
}

function eventItem(event) {
  const start = moment(first(event, ["start", "starts_at", "start_time", "date"]));
  const end = moment(first(event, ["end", "ends_at", "end_time"]));
  const title = first(event, ["title", "summary", "name", "subject"]) ?? "Untitled";
  const hour = (time) => time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const when = start ? `${hour(start)}${end ? ` to ${hour(end)}` : ""}` : "";
  const place = first(event, ["location", "place", "room"]);
  const line = [when, place && textOf(place)].filter(Boolean).join(" · ");
  const day = start
    ? element("time", { dateTime: start.toISOString() },
      element("span", {}, start.toLocaleDateString([], { month: "short" })), element("b", {}, String(start.getDate())))
    : element("span");
  return element("li", {}, day, element("div", {}, element("p", {}, element("b", {}, textOf(title))), element("p", { class: "small soft" }, line)));
}

/** A list of events, `most` at most, or the answer's fields where there is no list in it. */
export function eventsOf(body, most = Infinity) {
  const events = Array.isArray(body) ? body : first(body, ["events", "items", "value"]);
  if (!Array.isArray(events)) return factsOf(body);
  if (events.length === 0) return element("p", { class: "notice" }, "No events.");
  return element("ul", { class: "events" }, events.slice(0, most).map(eventItem));
}

/** An answer's fields, one per line. */
export function factsOf(body) {
  if (typeof body !== "object" || body === null) return element("pre", {}, textOf(body));
  const rows = Object.entries(body).flatMap(([name, value]) => [element("dt", {}, name.replaceAll("_", " ")), element("dd", {}, textOf(value))]);
  return element("dl", { class: "facts" }, rows);
}
