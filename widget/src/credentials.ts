/**
 * The form of `<consulate-connect>` for accounts whose credential is typed (an API key, a user name and password, a personal access
 * token): a file of its own, `consulate.credentials.js`, for the few widgets that need it.
 *
 * ```js
 * import { credentialForm } from ".../v1/consulate.credentials.js";
 * defineConnectElement({ consulate, credentialForm });
 * ```
 *
 * Which fields there are is what the connection's status says. What is typed goes to the server once and is in no attribute, event or
 * error; nothing of it ever comes back.
 */

import type { ConsulateError } from "./error.js";
import { FORM_STYLE } from "./form-style.js";
import type { ConnectTexts } from "./texts.js";
import type { Connection, Consulate } from "./types.js";

/**
 * English, as in `texts.ts`; `{name}` is the authentication's label, `{field}` a field's. Codes of errors may be added: what they do
 * not name (`request_invalid`: the provider's no, or a field that cannot be used) is said in the problem's own words.
 */
const TEXTS = {
  connect: "Connect {name}",
  reconnect: "Reconnect {name}",
  save: "Connect",
  cancel: "Cancel",
  checking: "Trying it at the provider",
  optional: "{field} (optional)",
  caller_forbidden: "Only administrators can change this",
};

let forms = 0;

/** Draws the form: a button first, the fields when it is pressed. Goes with the element that shows it. */
export function credentialForm(consulate: Consulate, connection: Connection, texts?: ConnectTexts): HTMLElement {
  const { auth_key, label, credential } = connection;
  const words: ConnectTexts = { ...TEXTS, ...texts };
  const say = (word: string, field = "") => (words[word] ?? "").replace("{name}", label).replace("{field}", field);
  const host = document.createElement("div");
  const shadow = host.attachShadow({ mode: "open", delegatesFocus: true });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(FORM_STYLE);
  shadow.adoptedStyleSheets = [sheet];

  const open = make("button", { type: "button", className: "main" });
  const form = make("form", { hidden: true, noValidate: false, autocomplete: "off" });
  const save = make("button", { textContent: say("save"), className: "main" });
  const cancel = make("button", { textContent: say("cancel"), type: "button" });
  const doing = make("p", { role: "status" });
  const alert = make("p", { role: "alert", id: `consulate-alert-${(forms += 1)}` });

  /** What pressing the button would do, as the connection stands. */
  const name = ({ status }: Connection) => {
    form.ariaLabel = open.textContent = say(status === "needs_reauthorisation" ? "reconnect" : "connect");
  };
  name(connection);
  const stop = consulate.onChange((now) => {
    if (!host.isConnected) stop();
    else if (now.auth_key === auth_key) name(now);
  });

  const inputs = (credential?.fields ?? []).map(({ name, label, secret, optional }) => {
    const input = make("input", {
      name,
      id: `consulate-${forms}-${name}`,
      type: secret ? "password" : "text",
      required: !optional,
      maxLength: 4096,
      spellcheck: false,
    });
    // "off" is not respected for passwords; this is what keeps a browser from offering its owner's own.
    input.setAttribute("autocomplete", secret ? "new-password" : "off");
    input.setAttribute("autocapitalize", "none");
    const text = make("label", { textContent: optional ? say("optional", label) : label, htmlFor: input.id });
    form.append(text, input);
    return input;
  });
  const buttons = make("div");
  buttons.append(save, cancel);
  form.append(alert, doing, buttons);
  shadow.append(open, form);

  /** Shows the form, or puts it away and forgets what was typed. */
  const show = (shown: boolean) => {
    form.reset();
    judge();
    open.hidden = shown;
    form.hidden = !shown;
    (shown ? (inputs[0] ?? save) : open).focus();
  };
  /** Says what was wrong, at the field that it was. */
  const judge = (message = "", field?: string) => {
    alert.textContent = message;
    for (const input of inputs) {
      const wrong = !!message && input.name === field;
      input.ariaInvalid = `${wrong}`;
      if (wrong) {
        input.setAttribute("aria-describedby", alert.id);
        input.focus();
      } else input.removeAttribute("aria-describedby");
    }
  };
  /** A disabled button would lose the focus, and with it the place of whoever uses the keyboard. */
  let trying = false;
  const busy = (is: boolean) => {
    trying = is;
    save.ariaDisabled = cancel.ariaDisabled = `${is}`;
    doing.textContent = is ? say("checking") : "";
  };

  open.onclick = () => show(true);
  cancel.onclick = () => trying || show(false);
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (trying) return;
    // Left out rather than sent empty: what is optional is absent.
    const typed = inputs.filter(({ value }) => value).map(({ name, value }) => [name, value]);
    busy(true);
    judge();
    try {
      await consulate.typeCredential(auth_key, Object.fromEntries(typed));
      form.reset();
    } catch (problem) {
      const error = problem as ConsulateError;
      const field = error.problem?.field;
      // The server may have kept it all the same; the status tells whoever listens.
      if (error.retryable) consulate.connection(auth_key).catch(() => {});
      judge(words[error.code] ?? error.problem?.detail ?? error.message, field);
      if (!inputs.some(({ name }) => name === field)) inputs[0]?.focus();
      host.dispatchEvent(new CustomEvent("consulate-error", { detail: error, bubbles: true, composed: true }));
    }
    busy(false);
  };
  return host;
}

function make<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, properties: Partial<HTMLElementTagNameMap[Tag]> = {}): HTMLElementTagNameMap[Tag] {
  return Object.assign(document.createElement(tag), properties);
}
