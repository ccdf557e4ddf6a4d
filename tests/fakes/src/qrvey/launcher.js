// Plays Qrvey's launcher: makes an element that reads the name of a global variable from its attribute, as Qrvey's widgets
// do, and shows what the instance answers for the security token in it.

const DATA_PATH = "/widget/data";

class Widget extends HTMLElement {
  #attribute;

  constructor(attribute) {
    super();
    this.#attribute = attribute;
  }

  async connectedCallback() {
    const config = window[this.getAttribute(this.#attribute)];
    const token = config?.qvToken ?? config?.qv_token;
    if (!config?.domain || !token) return this.#say("No configuration.");
    if ("apikey" in config || "api_key" in config) return this.#say("An API key does not belong here.");
    const answer = await fetch(config.domain + DATA_PATH, { headers: { "x-qrvey-token": token }, credentials: "omit" });
    const document = await answer.json();
    if (!answer.ok) return this.#say(document.message ?? "No data.");
    if (document.rows.length === 0) return this.#say("No data found");
    this.replaceChildren(this.#table(document.rows));
  }

  #say(text) {
    this.textContent = text;
  }

  #table(rows) {
    const names = Object.keys(rows[0]);
    const made = document.createElement("table");
    const line = (tag, texts) => {
      const row = document.createElement("tr");
      for (const text of texts) {
        const cell = document.createElement(tag);
        cell.textContent = text;
        row.append(cell);
      }
      made.append(row);
    };
    line("th", names);
    for (const row of rows) line("td", names.map((name) => String(row[name])));
    return made;
  }
}

customElements.define("qrvey-end-user", class extends Widget { constructor() { super("settings"); } });
customElements.define("an-dashboard", class extends Widget { constructor() { super("config"); } });
