// The post: one message or reply after the other by keyboard. Keys press the pane's own buttons.
(function () {
  "use strict";
  const one = (selector, root) => (root || document).querySelector(selector);
  const every = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const saldo = window.saldo;
  const onList = () => Boolean(one("[data-list]"));
  const pane = () => one("#pane [data-pane]");
  const here = () => location.pathname + location.search;

  // The pane may still show the row before: then no key acts on it.
  function isFresh() {
    const shown = pane();
    const row = one("tr.row.selected");
    return shown && !one("#pane.htmx-request") && (!onList() || (row && row.dataset.line === shown.dataset.line));
  }

  function press(selector) {
    const button = isFresh() && one(selector, pane());
    if (!button || button.disabled) return false;
    button.click();
    return true;
  }

  function undo() {
    const button = every("#toasts [data-undo] button").pop() || (isFresh() && one('button[value="undone"]', pane()));
    if (button) button.click();
    return Boolean(button);
  }

  function approveAll() {
    const button = one("[data-all-key]");
    if (button) button.click();
    return Boolean(button);
  }

  const acts = {
    Enter: (event) => event.repeat || press("[data-enter]") || (onList() && saldo.openSelected()),
    A: approveAll,
    u: undo,
    c: () => false,
    n: () => false,
    s: () => false,
  };
  for (const key of ["a", "x", "t", "y", "e", "r"]) acts[key] = (event) => event.repeat || press(`[data-key="${key}"]`);
  for (let rank = 1; rank <= 9; rank += 1) acts[String(rank)] = () => press(`[data-choice="${rank}"]`);
  saldo.acts = acts;

  const help = one("#mail-help");
  const place = one("#help [data-help-page]");
  if (help && place) place.replaceWith(help.content.cloneNode(true));

  // --- what became of a row --------------------------------------------------------------------------

  function neighbor(row) {
    for (const side of ["nextElementSibling", "previousElementSibling"]) {
      let other = row[side];
      while (other && !other.matches("tr.row")) other = other[side];
      if (other) return other;
    }
    return null;
  }

  function dropHeadings() {
    for (const heading of every("#list tr.block")) {
      const after = heading.nextElementSibling;
      if (!after || after.classList.contains("block")) heading.remove();
    }
  }

  function rest() {
    const words = one("#pane-rest");
    const target = one("#pane");
    if (words && target) target.replaceChildren(words.content.cloneNode(true));
  }

  function reload(line) {
    return saldo.load(here(), "#list", "outerHTML").then(() => {
      const row = (line && one(`tr.row[data-line="${line}"]`)) || one("tr.row");
      if (row) saldo.select(row, { focus: true, reload: true, now: true });
      else rest();
    });
  }

  document.addEventListener("saldo:mailed", (event) => {
    const { line, state, left, blocks } = event.detail;
    for (const [id, text] of Object.entries({ ...left, ...blocks })) {
      const target = document.getElementById(id);
      if (target) target.textContent = text;
    }
    const dialog = one("dialog[open]");
    if (dialog) dialog.close();
    for (const old of every("#toasts [data-toast]").slice(0, -1)) old.remove();
    if (!onList()) {
      const list = one("[data-list-page]");
      if (list && !["reopened", "assigned"].includes(state)) setTimeout(() => location.assign(list.href), 700);
      else location.reload();
      return;
    }
    const row = one(`tr.row[data-line="${line}"]`);
    if (["reopened", "assigned", "question"].includes(state) || !row) {
      reload(line);
      return;
    }
    const next = neighbor(row);
    row.remove();
    dropHeadings();
    if (next) saldo.select(next, { focus: true, now: true });
    else reload();
  });

  // --- the pane --------------------------------------------------------------------------------------

  document.addEventListener("click", (event) => {
    const editor = event.target.closest("[data-edit-text]");
    if (editor) {
      const part = one("#edit-text");
      part.hidden = !part.hidden;
      editor.setAttribute("aria-expanded", String(!part.hidden));
      const paper = one("[data-preview-text]");
      if (paper) paper.hidden = !part.hidden;
      if (!part.hidden) one("textarea", part).focus();
    }
    if (event.target.closest("[data-focus-field]")) {
      const field = one("#pane [data-field]");
      if (field) field.focus();
    }
  });

  document.addEventListener("keydown", (event) => {
    if (!event.target.matches("[data-find]")) return;
    const hits = every("[data-line-hits] [data-hit]");
    if (event.key === "Enter") {
      event.preventDefault();
      if (hits.length) hits[0].click();
    } else if (event.key === "ArrowDown" && hits.length) {
      event.preventDefault();
      hits[0].focus();
    }
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    const target = event.detail.target;
    if (target.id === "pane" && document.activeElement === document.body) target.focus({ preventScroll: true });
    if (target.id === "list" && !one("tr.row")) rest();
  });
})();
