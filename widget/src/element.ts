/**
 * `<consulate-connect auth-key="…">`: the account's name, and buttons to connect, reconnect and disconnect it. Disconnecting asks once
 * more: other people may use an account of the organisation.
 *
 * Attributes: `auth-key`; `mode` and `return-to` as in `connect`. Events (bubbling, composed): `consulate-change` with the connection,
 * `consulate-error` with the error. No inline style or script, no HTML from text: it works under the strictest
 * Content-Security-Policy, Trusted Types included.
 */

import type { ConsulateError } from "./error.js";
import { STYLE } from "./style.js";
import { type ConnectTexts, TEXTS } from "./texts.js";
import type { Connection, ConnectProgress, Consulate } from "./types.js";

/** The element, as scripts see it. */
export interface ConsulateConnectElement extends HTMLElement {
  /** Asks how the connection stands now. */
  refresh(): Promise<void>;
}

/** What all elements of a tag share. */
export interface ConnectElementOptions {
  consulate: Consulate;
  /** Over the English ones. */
  texts?: ConnectTexts;
  /** Draws what a typed credential is entered in: `credentialForm` of `consulate.credentials.js`. */
  credentialForm?: (consulate: Consulate, connection: Connection, texts?: ConnectTexts) => HTMLElement;
  /** `consulate-connect` unless said otherwise: a page with several widgets takes one for each. */
  tag?: string;
}

/** Registers the element. Where there are no elements (on a server), or the tag is taken, it does nothing. */
export function defineConnectElement({ consulate, texts, credentialForm, tag = "consulate-connect" }: ConnectElementOptions): void {
  if (!globalThis.customElements || customElements.get(tag)) return;
  const words: ConnectTexts = { ...TEXTS, ...texts };
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);

  class ConnectElement extends HTMLElement implements ConsulateConnectElement {
    static observedAttributes = ["auth-key"];
    #connection: Connection | undefined;
    /** What goes on: a text's name, or nothing. */
    #doing = "";
    #turn = {};
    #form: HTMLElement | undefined;
    #error: ConsulateError | undefined;
    #blocked: Extract<ConnectProgress, { step: "blocked" }> | undefined;
    #attempt: AbortController | undefined;
    #stop: (() => void) | undefined;

    readonly #account = make("span", "account");
    readonly #status = make("span", "status", "status");
    readonly #link = make("a", "link");
    readonly #connect = make("button", "connect");
    readonly #cancel = make("button", "cancel");
    readonly #disconnect = make("button", "disconnect");
    readonly #alert = make("span", "error", "alert");
    readonly #box = make("div", "box", "group");
    readonly #shadow = this.attachShadow({ mode: "open" });

    constructor() {
      super();
      const text = make("span", "text");
      text.append(this.#account, this.#status, this.#alert);
      this.#box.append(text, this.#link, this.#connect, this.#cancel, this.#disconnect);
      this.#shadow.adoptedStyleSheets = [sheet];
      this.#shadow.append(this.#box);
      this.#link.target = "_blank";
      this.#link.rel = "opener";
      // Opened here there is a handle to the window; where the browser refuses that too, the link does what links do.
      this.#link.onclick = () => !this.#blocked?.open();
      this.#connect.onclick = () => void this.#connectNow();
      this.#cancel.onclick = () => (this.#attempt ? this.#attempt.abort() : this.#ask(""));
      this.#disconnect.onclick = ({ detail }) => {
        if (!this.#doing) this.#ask("confirm");
        // The second half of a double click is no answer.
        else if (this.#doing === "confirm" && detail < 2) void this.#do("disconnecting", () => consulate.disconnect(this.#key));
      };
    }

    connectedCallback(): void {
      document.addEventListener("visibilitychange", this.#shown);
      this.#stop = consulate.onChange((connection) => {
        if (connection.auth_key !== this.#key) return;
        this.#connection = connection;
        this.#render();
        this.#tell("change", connection);
      });
      void this.refresh();
    }

    disconnectedCallback(): void {
      document.removeEventListener("visibilitychange", this.#shown);
      this.#stop?.();
      // Moving an element takes it out and puts it back: only what stays away gives up.
      queueMicrotask(() => this.isConnected || this.#attempt?.abort());
    }

    attributeChangedCallback(): void {
      this.#connection = undefined;
      this.#attempt?.abort();
      if (this.isConnected) void this.refresh();
    }

    refresh(): Promise<void> {
      return this.#do(this.#connection ? "" : "loading");
    }

    get #key(): string {
      return this.getAttribute("auth-key") ?? "";
    }

    readonly #shown = () => {
      if (!document.hidden) void this.refresh();
    };

    /** Asks whether to disconnect, or stops asking. A key held down for too long lands on what changes nothing. */
    #ask(doing: string): void {
      this.#doing = doing;
      this.#render();
      (doing ? this.#cancel : this.#disconnect).focus();
    }

    /** No `await` before `connect`: the window has to open in the click. */
    #connectNow(): Promise<void> {
      const mode = this.getAttribute("mode");
      const returnTo = this.getAttribute("return-to");
      const onProgress = (progress: ConnectProgress) => {
        this.#blocked = progress.step === "blocked" ? progress : undefined;
        this.#doing = progress.step;
        this.#render();
      };
      return this.#do("opening", () => {
        const { signal } = (this.#attempt = new AbortController());
        return consulate.connect(this.#key, { mode: mode === "redirect" ? mode : "popup", signal, onProgress, ...(returnTo && { returnTo }) });
      });
    }

    /** Does `what` unless something goes on, shows `doing` meanwhile, and how things stand afterwards. */
    async #do(doing: string, what?: () => Promise<unknown>): Promise<void> {
      if (this.#attempt || this.#doing === "disconnecting") return;
      const turn = (this.#turn = {});
      // Looking leaves a question as it is.
      if (doing) this.#doing = doing;
      this.#error = undefined;
      const working = what?.();
      this.#render();
      try {
        await working;
      } catch (error) {
        this.#fail(error as Error);
      }
      try {
        const connection = await consulate.connection(this.#key);
        if (turn === this.#turn) this.#connection = connection;
      } catch (error) {
        this.#fail(error as Error);
      }
      // Only looking is overtaken.
      if (turn !== this.#turn) return;
      if (this.#doing !== "confirm") this.#doing = "";
      this.#blocked = this.#attempt = undefined;
      this.#render();
    }

    #fail(error: Error): void {
      // A person who cancels needs no telling.
      if (error.name === "AbortError") return;
      this.#error ??= error as ConsulateError;
      this.#tell("error", error);
    }

    #tell(what: string, detail: unknown): void {
      this.dispatchEvent(new CustomEvent(`consulate-${what}`, { detail, bubbles: true, composed: true }));
    }

    #render(): void {
      const focused = this.#shadow.activeElement as HTMLElement | null;
      const connection = this.#connection;
      const error = this.#error;
      const name = connection?.label || this.#key;
      const status = connection?.status;
      const lacks = status === "connected" && connection!.apis.some((api) => api.status === "missing_scopes");
      const again = lacks || status === "needs_reauthorisation";
      const typed = connection?.credential && status !== "connected";
      if (typed && credentialForm) {
        if (!this.#form) this.#shadow.append((this.#form = credentialForm(consulate, connection, texts)));
      } else this.#form = this.#form?.remove() as undefined;
      const free = connection && !this.#attempt;
      const there = free && (again || status === "connected");
      // Somebody else may have been faster.
      if (!there && this.#doing === "confirm") this.#doing = "";
      const asking = this.#doing === "confirm";
      const say = (node: HTMLElement, text?: string | false) => {
        const words = text ? text.replace("{name}", name) : "";
        // Only what is new: a live region speaks with every change.
        if (node.textContent !== words) node.textContent = words;
        node.hidden = !words;
      };
      this.#box.ariaLabel = name;
      say(this.#account, connection?.account?.name ?? connection?.account?.email ?? name);
      say(this.#status, words[this.#doing || (typed && !this.#form ? "typed" : lacks ? "missing_scopes" : (status ?? ""))]);
      say(this.#alert, error && (words[error.code] ?? error.message));
      say(this.#link, this.#blocked && words["link"]);
      this.#link.href = this.#blocked?.url ?? "";
      say(this.#connect, free && !typed && !asking && (again || status !== "connected") && words[again ? "reconnect" : "connect"]);
      say(this.#cancel, (asking || this.#attempt) && words["cancel"]);
      say(this.#disconnect, there && words["disconnect"]);
      // A button that goes takes the focus along: hand it to the next one.
      if (focused && (focused.hidden || !focused.isConnected)) this.#shadow.querySelector<HTMLElement>(":is(a,button):not([hidden])")?.focus();
    }
  }

  customElements.define(tag, ConnectElement);
}

function make<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, part: string, role?: string): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  node.setAttribute("part", part);
  if (role) node.role = role;
  return node;
}

declare global {
  interface HTMLElementTagNameMap {
    "consulate-connect": ConsulateConnectElement;
  }
}
