// The sheet of a call: one key for each result, one for each reason, a day typed in a hurry.
(function () {
  "use strict";
  const one = (selector, root) => (root || document).querySelector(selector);
  const AGAIN_MILLISECONDS = 30000;
  let started = 0;
  let recorded = false;

  const openPart = (root) => one("details.answer[open]", root);

  // The keys work from the heading, and Enter there records nothing.
  function rest(root) {
    const heading = one("h2", root);
    heading.tabIndex = -1;
    heading.focus();
  }

  function arrive(root) {
    started = Date.now();
    recorded = false;
    const part = openPart(root);
    const first = part && one("[data-first]", part);
    if (first) first.focus();
    else rest(root);
  }

  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id === "dlg-call") arrive(event.detail.target);
  });

  document.addEventListener("toggle", (event) => {
    const part = event.target;
    if (!part.matches || !part.matches("details.answer") || !part.open) return;
    const first = one("[data-first]", part);
    if (first) first.focus();
  }, true);

  document.addEventListener("keydown", (event) => {
    const form = event.target.closest && event.target.closest("[data-call-form]");
    if (!form || event.isComposing) return;
    const part = event.target.closest("details.answer[open]");
    if (event.key === "Enter" && event.target.matches("input:not([type=radio]):not([type=checkbox])")) {
      event.preventDefault();
      // In a part, Enter records; in a note it goes back to the choices.
      if (part) one("button[name=result]", part).click();
      else rest(form.parentElement);
    }
    if (event.key === "Escape" && part) {
      event.preventDefault();
      part.open = false;
      one("summary", part).focus();
    }
  });

  // Escape closes the open part first, then the sheet.
  document.addEventListener("cancel", (event) => {
    const part = event.target.id === "dlg-call" && openPart(event.target);
    if (!part) return;
    event.preventDefault();
    part.open = false;
    one("summary", part).focus();
  }, true);

  document.addEventListener("htmx:configRequest", (event) => {
    const { verb, parameters, elt } = event.detail;
    if (verb !== "post" || !elt.matches("form[data-call-form]") || !("seconds" in parameters)) return;
    parameters.seconds = started ? String(Math.round((Date.now() - started) / 1000)) : "";
  });

  document.addEventListener("saldo:outcome", () => { recorded = true; });

  document.addEventListener("close", (event) => {
    const sheet = event.target.id === "dlg-call" && one("[data-call]", event.target);
    if (!sheet || recorded) return;
    window.htmx.ajax("POST", sheet.dataset.leave, { source: event.target, swap: "none", values: { leave: "1" } });
  }, true);

  document.addEventListener("click", (event) => {
    const setter = event.target.closest("[data-set-text]");
    if (!setter) return;
    const field = one(`[name="${setter.dataset.setText}"]`, setter.closest("form"));
    field.value = setter.dataset.value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // When the hour of a call-back comes, the list is asked for again: not under somebody's hands.
  function wake() {
    const place = one("[data-next-call]");
    if (!place) return;
    const wait = new Date(place.dataset.nextCall) - Date.now();
    setTimeout(function look() {
      if (one("dialog[open]") || document.hidden) {
        setTimeout(look, AGAIN_MILLISECONDS);
        return;
      }
      window.saldo.load(location.pathname + location.search, "#list", "outerHTML").then(wake);
    }, Math.min(Math.max(wait, 1000), 2 ** 31 - 1));
  }

  if (document.body.classList.contains("call-page")) arrive(one("[data-call]"));
  wake();
})();
