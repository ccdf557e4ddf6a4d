// "What the server did": reads the steps, gathers those of one request into one story, shows the newest first.

import { element, folded, icon } from "./elements.js";
import { invoked, tell } from "./sentences.js";

const PAUSE_MILLISECONDS = 700;
const STORIES_KEPT = 60;

const list = document.getElementById("timeline");
const empty = document.getElementById("timeline-empty");
const state = document.getElementById("timeline-state");
const news = document.getElementById("timeline-news");

/** Newest first: `{id, lines, tally, node}`; `tally` counts the titles of folded minor requests. */
const stories = [];
let lastNumber = 0;
let caughtUp = false;

function showState(text, kind) {
  state.textContent = text;
  state.className = `pill ${kind}`;
}

function rawFields(line) {
  const rows = Object.entries(line).flatMap(([name, value]) => [
    element("dt", {}, name),
    element("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value)),
  ]);
  return element("dl", {}, rows);
}

function timeText(time) {
  const parsed = new Date(time ?? Number.NaN);
  return Number.isNaN(parsed.valueOf()) ? "" : parsed.toLocaleTimeString([], { hour12: false });
}

function tallyText(tally) {
  const parts = [...tally].map(([title, count]) => (count > 1 ? `${title} (${count} times)` : title));
  return parts.join(", ");
}

function stepItem({ by, icon: symbol, tone, text }) {
  return element("li", { class: tone }, icon(symbol), element("p", {}, text), element("span", { class: `by mono ${by ?? ""}` }, by));
}

function render(story) {
  const told = tell(story.lines);
  const open = story.node?.querySelector("details")?.open ?? false;
  const took = told.milliseconds === undefined ? "" : ` · ${Math.round(told.milliseconds)} ms`;
  const title = told.minor ? tallyText(story.tally) : told.title;
  const raw = folded(story.lines.length === 1 ? "Log line" : `${story.lines.length} log lines`, story.lines.map(rawFields));
  raw.open = open;
  const node = element(
    "li",
    { class: `story ${told.tone}${told.minor ? " minor" : ""}${caughtUp ? " fresh" : ""}` },
    element("div", { class: "story-head" }, element("h3", {}, title), element("time", {}, timeText(told.time) + took)),
    told.minor ? "" : element("ol", { class: "steps" }, told.steps.map(stepItem)),
    told.minor ? "" : raw,
  );
  if (story.node) story.node.replaceWith(node);
  else list.prepend(node);
  story.node = node;
  return told;
}

// An invoke has a request id of its own. A request waits for the custodian it asks, so what it asked stands among the
// newest stories when its own line comes.
function adopt(line) {
  const event = invoked(line);
  if (!event) return [];
  // An invoke is its own line and, where something happened to a connection, that of the audit before it.
  const fits = (one) => one.function === "custodian" && one.event === event && Date.parse(line.time) - Date.parse(one.time) <= 2000 + (line.duration_ms ?? 0);
  const at = stories.slice(0, 6).findIndex(({ lines }) => lines.some(fits) && !lines.some((one) => one.event === "request"));
  if (at < 0) return [];
  const [adopted] = stories.splice(at, 1);
  adopted.node.remove();
  return adopted.lines;
}

function take(line) {
  const id = line.request_id;
  const known = id && stories.find((story) => story.id === id);
  if (known) {
    known.lines.push(line);
    return render(known);
  }
  const [newest] = stories;
  const alone = tell([line]);
  if (alone.minor && newest && tell(newest.lines).minor) {
    newest.tally.set(alone.title, (newest.tally.get(alone.title) ?? 0) + 1);
    newest.lines = [line];
    return render(newest);
  }
  const story = { id, lines: [...adopt(line), line], tally: new Map([[alone.title, 1]]), node: null };
  stories.unshift(story);
  for (const old of stories.splice(STORIES_KEPT)) old.node.remove();
  return render(story);
}

async function readOnce() {
  const answer = await fetch(`/demo/steps?after=${lastNumber}`, { cache: "no-store" });
  if (!answer.ok) throw new Error(`steps answered ${answer.status}`);
  const steps = await answer.json();
  for (const { number, line } of steps) {
    lastNumber = number;
    const told = take(line);
    if (!told.minor && caughtUp) news.textContent = told.title;
  }
  caughtUp = true;
  empty.hidden = stories.length > 0;
  list.hidden = stories.length === 0;
}

/** Reads for as long as the page is open; a hidden page does not ask. */
export async function follow() {
  for (;;) {
    if (!document.hidden) {
      try {
        await readOnce();
        showState("Live", "good");
      } catch {
        showState("Server not reachable", "bad");
      }
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS));
  }
}
