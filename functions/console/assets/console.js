// The console's only script. Pages work without it, but for signing in: there the secret part of the link stands in the
// fragment, which no server sees, and is put into the form here.
"use strict";
(() => {
  const signIn = document.getElementById("sign-in");
  if (signIn) {
    const ticket = location.hash.slice(1);
    if (/^[\w-]{43}$/.test(ticket)) {
      signIn.elements.ticket.value = ticket;
      signIn.hidden = false;
      history.replaceState(null, "", location.pathname);
      signIn.querySelector("button").focus();
    }
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = form.dataset.confirm;
    if (question !== undefined && !window.confirm(question)) {
      event.preventDefault();
      return;
    }
    // A second press of the same button would be a second act.
    if (form.method === "post") setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("button:disabled").forEach((button) => { button.disabled = false; }));

  // The news has been read: loading the page again should not tell it again.
  if (/[?&](done|outcome)=/.test(location.search)) history.replaceState(null, "", location.pathname);
})();
