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

  // An archive dropped on its field is as good as one chosen there.
  for (const field of document.querySelectorAll(".drop")) {
    const input = field.querySelector("input");
    const over = (is) => (event) => {
      event.preventDefault();
      field.classList.toggle("over", is);
    };
    field.addEventListener("dragenter", over(true));
    field.addEventListener("dragover", over(true));
    field.addEventListener("dragleave", over(false));
    field.addEventListener("drop", (event) => {
      over(false)(event);
      if (event.dataTransfer.files.length > 0) input.files = event.dataTransfer.files;
    });
  }
  // Dropped beside it, a file would be opened in the console's place.
  for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());

  // What an address will be is shown while its id is typed.
  for (const shown of document.querySelectorAll("[data-follows]")) {
    const input = document.querySelector(`input[name="${shown.dataset.follows}"]`);
    input?.addEventListener("input", () => { shown.textContent = input.value; });
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
