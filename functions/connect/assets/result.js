// The end of a connect: tells the window that opened this one how it went (never more than that), cleans the address
// where a refusal left something in it, and closes the window when there is nothing to read.
"use strict";
(() => {
  const CLOSE_AFTER_MILLISECONDS = 1_500;
  const { origins, status, code, authKey, clean } = document.body.dataset;

  if (clean !== undefined) history.replaceState(null, "", location.pathname);

  if (status && window.opener) {
    const message = { type: "consulate:result", status, auth_key: authKey ?? null, code: code ?? null };
    for (const origin of JSON.parse(origins ?? "[]")) window.opener.postMessage(message, origin);
  }

  const button = document.querySelector("button");
  if (button && window.opener) {
    button.hidden = false;
    button.addEventListener("click", () => window.close());
  }
  if (status === "connected" && window.opener) setTimeout(() => window.close(), CLOSE_AFTER_MILLISECONDS);
})();
