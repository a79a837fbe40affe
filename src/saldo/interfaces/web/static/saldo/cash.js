// The cash desk: one line after the other by keyboard, and the split with its live remainder.
(function () {
  "use strict";
  const RECOUNT_MILLISECONDS = 300;
  const one = (selector, root) => (root || document).querySelector(selector);
  const every = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const saldo = window.saldo;
  const onList = () => Boolean(one("[data-list]"));
  const pane = () => one("#pane [data-pane]");
  let recountTimer = 0;

  // --- keys ------------------------------------------------------------------------------------------

  // The pane may still show the line before: then no key acts on it.
  function isFresh() {
    const shown = pane();
    const row = one("tr.row.selected");
    return shown && !one("#pane.htmx-request") && (!onList() || (row && row.dataset.line === shown.dataset.line));
  }

  function press(key) {
    const button = isFresh() && one(`[data-key="${key}"]`, pane());
    if (!button || button.disabled) return false;
    button.click();
    return true;
  }

  function choose(rank) {
    const link = isFresh() && one(`[data-choice="${rank}"]`, pane());
    if (link) link.click();
    return Boolean(link);
  }

  function undo() {
    if (press("u")) return true;
    const button = every("#toasts [data-undo] button").pop();
    if (button) button.click();
    return Boolean(button);
  }

  const follow = (selector) => {
    const link = one(selector);
    if (link) link.click();
    return Boolean(link);
  };

  const acts = {
    Enter: (event) => event.repeat || press("Enter") || (onList() && saldo.openSelected()),
    Escape: () => press("Escape"),
    u: undo,
    c: () => false,
    e: () => false,
    n: () => false,
  };
  for (const key of ["s", "a", "d", "r", "x"]) acts[key] = () => press(key);
  for (let rank = 1; rank <= 9; rank += 1) acts[String(rank)] = () => choose(rank);
  if (!onList()) {
    acts.j = acts.ArrowDown = () => follow("[data-following]");
    acts.k = acts.ArrowUp = () => follow("[data-previous]");
  }
  saldo.acts = acts;

  const help = one("#cash-help");
  const place = one("#help [data-help-page]");
  if (help && place) place.replaceWith(help.content.cloneNode(true));

  // --- what became of a line -------------------------------------------------------------------------

  function neighbor(row) {
    for (const side of ["nextElementSibling", "previousElementSibling"]) {
      let other = row[side];
      while (other && !other.matches("tr.row")) other = other[side];
      if (other) return other;
    }
    return null;
  }

  function dropHeadings() {
    for (const heading of every("#waiting tr.block")) {
      const after = heading.nextElementSibling;
      if (!after || !after.matches("tr.row")) heading.remove();
    }
  }

  const here = () => location.pathname + location.search;

  function reload(lineId) {
    return saldo.load(here(), "#list", "outerHTML").then(() => {
      const row = lineId && one(`tr.row[data-line="${lineId}"]`);
      if (row) saldo.select(row, { focus: true, reload: true, now: true });
      else if (!one("tr.row")) rest();
    });
  }

  function rest() {
    const words = one("#pane-rest");
    const target = one("#pane");
    if (words && target) target.replaceChildren(words.content.cloneNode(true));
  }

  function tellHeads() {
    const figures = one("#figures");
    if (!figures || !figures.dataset.heads) return;
    for (const head of JSON.parse(figures.dataset.heads)) {
      const section = one(`#group-${head.group}`);
      if (!section) continue;
      section.hidden = !head.count;
      one("[data-count]", section).textContent = head.shown;
      one("[data-sums]", section).textContent = head.sums;
      const rows = one("tbody", section);
      if (one("table", section).hidden) rows.replaceChildren();
      else window.htmx.trigger(one("[data-group-toggle]", section), "fill");
    }
  }

  document.addEventListener("saldo:posted", (event) => {
    const { line, state, left } = event.detail;
    for (const place of every("#nav-lines, [data-all-waiting]")) place.textContent = left;
    const dialog = one("dialog[open]");
    if (dialog) dialog.close();
    for (const old of every("#toasts [data-toast]").slice(0, -1)) old.remove();
    if (!onList()) {
      if (state === "undone" || !(follow("[data-following]") || follow("[data-list-page]"))) location.reload();
      return;
    }
    const row = one(`#waiting tr.row[data-line="${line}"]`);
    if (state === "undone" || !row) {
      reload(line);
      return;
    }
    const next = neighbor(row);
    row.remove();
    dropHeadings();
    if (!next) {
      reload();
      return;
    }
    saldo.select(next, { focus: true, now: true });
    saldo.load(here(), "#figures", "outerHTML").then(tellHeads);
  });

  document.addEventListener("click", (event) => {
    const toggle = event.target.closest("[data-group-toggle]");
    if (toggle && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      unfold(toggle);
    }
    const filler = event.target.closest("[data-fill]");
    if (filler) fill(one("[data-pays]", filler.closest("[data-item]")));
    const adder = event.target.closest("[data-add-account]");
    if (adder) addAccount(adder.dataset.addAccount);
  });

  function unfold(toggle) {
    const table = one("table", toggle.closest("[data-group]"));
    table.hidden = !table.hidden;
    toggle.setAttribute("aria-expanded", String(!table.hidden));
    if (!table.hidden && !one("tr", table)) window.htmx.trigger(toggle, "fill");
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === " " && event.target.matches("[data-group-toggle]")) {
      event.preventDefault();
      unfold(event.target);
    }
    if (event.target.matches("[data-pays]")) inAmount(event);
    if (event.target.matches("[data-find]")) inSearch(event);
  });

  // --- search in the pane ----------------------------------------------------------------------------

  function inSearch(event) {
    const hits = every("[data-line-hits] [data-hit]");
    if (event.key === "Enter") {
      event.preventDefault();
      if (hits.length) hits[0].click();
    } else if (event.key === "ArrowDown" && hits.length) {
      event.preventDefault();
      hits[0].focus();
    }
  }

  function addAccount(accountId) {
    const form = one("#pane [data-split]");
    if (!form) return;
    const values = new FormData(form);
    values.append("other", accountId);
    values.delete("csrfmiddlewaretoken");
    const asked = new URLSearchParams(values);
    asked.set("mode", "split");
    saldo.load(`${pane().dataset.href}?${asked}`, "#pane", "innerHTML show:none");
  }

  // --- the split -------------------------------------------------------------------------------------

  // Amounts are whole thousandths here, as on the server.
  // A minus is understood only of a credit.
  function mills(text, places, isCredit) {
    const typed = text.replace(/[\s'€$£]/g, "");
    const compact = isCredit ? typed.replace(/^[-−]/, "") : typed;
    if (!compact) return 0;
    let found = /^(\d+)(?:[.,](\d+))?$/.exec(compact);
    if (!found || (found[2] || "").length > places) {
      const grouped = /^(\d{1,3}([.,])\d{3}(?:\2\d{3})*)(?:(?!\2)[.,](\d+))?$/.exec(compact);
      found = grouped && [compact, grouped[1], grouped[3]];
    }
    if (!found || (found[2] || "").length > places) return null;
    return Number(found[1].replace(/[.,]/g, "")) * 1000 + Number((found[2] || "").padEnd(3, "0"));
  }

  const exact = (text) => Math.round(Number(text) * 1000);

  function shown(amount, places) {
    const text = Math.abs(amount / 1000).toLocaleString(document.documentElement.lang, {
      minimumFractionDigits: places, maximumFractionDigits: places, useGrouping: "always",
    });
    return amount < 0 ? `−${text}` : text;
  }

  function typed(form) {
    const places = Number(form.dataset.places);
    return every("[data-item]", form).map((row) => {
      const field = one("[data-pays]", row);
      const open = exact(row.dataset.open);
      const amount = field ? mills(field.value, places, open < 0) : 0;
      const isWrong = amount === null || amount > Math.abs(open);
      return { row, field, open, isWrong, paid: amount === null ? 0 : open < 0 ? -amount : amount };
    });
  }

  function remainder(form, rows) {
    return exact(form.dataset.amount) - rows.reduce((sum, each) => sum + each.paid, 0);
  }

  function recount(form, quiet) {
    const rows = typed(form);
    const left = remainder(form, rows);
    for (const { row, field, open, isWrong, paid } of rows) {
      if (!field) continue;
      if (isWrong) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
      const rest = one("[data-rest]", row);
      if (rest) rest.hidden = isWrong || paid <= 0 || paid >= open;
      row.classList.toggle("used", paid !== 0);
    }
    const place = one("[data-remainder]", form);
    one("[data-left]", place).textContent = shown(left, Number(form.dataset.places));
    const keeps = one("[data-keep]", form);
    const isPart = form.hasAttribute("data-partial");
    const isWhole = isPart ? left < exact(form.dataset.amount) && left >= 0 : left === 0 || (left > 0 && keeps.checked);
    const addsUp = isWhole && rows.every((each) => !each.isWrong);
    place.classList.toggle("late", left < 0 || (!isPart && !addsUp));
    place.classList.toggle("done", left === 0);
    one("[data-confirm-split]", form).disabled = !addsUp;
    if (quiet || !one("#changes", form)) return;
    clearTimeout(recountTimer);
    recountTimer = setTimeout(() => window.htmx.trigger(form, "recount"), RECOUNT_MILLISECONDS);
  }

  function fill(field) {
    const form = field.closest("[data-split]");
    const rows = typed(form);
    const mine = rows.find((each) => each.field === field);
    const left = remainder(form, rows) + mine.paid;
    const amount = mine.open < 0 ? -mine.open : Math.max(0, Math.min(mine.open, left));
    field.value = amount ? shown(amount, Number(form.dataset.places)) : "";
    recount(form);
    field.focus();
    field.select();
  }

  function inAmount(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key.toLowerCase() === "t") {
      event.preventDefault();
      fill(event.target);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const fields = every("[data-pays]", event.target.form).filter((each) => each.getClientRects().length);
      const next = fields[fields.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) {
        next.focus();
        next.select();
      }
    }
  }

  document.addEventListener("input", (event) => {
    const form = event.target.closest("[data-split]");
    if (!form) return;
    if (event.target.matches("[data-narrow]")) {
      const wanted = event.target.value.trim().toLowerCase();
      for (const row of every("[data-item]", form)) {
        row.hidden = Boolean(wanted) && !row.dataset.label.toLowerCase().includes(wanted) && !row.classList.contains("used");
      }
    } else {
      recount(form);
    }
  });

  function begin(root, mayFocus) {
    const form = one("[data-split]", root);
    if (form) recount(form, true);
    if (!mayFocus) return;
    const filled = every("[data-pays]", root).find((field) => field.value);
    const first = one("[data-autofocus]", root) || filled || one("[data-pays]", root);
    if (first) {
      first.focus({ preventScroll: true });
      if (first.select) first.select();
    } else if (document.activeElement === document.body && root.id === "pane") {
      root.focus({ preventScroll: true });
    }
  }

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "pane") begin(event.detail.target, true);
  });
  document.addEventListener("saldo:withdrawn", () => saldo.move(0));
  begin(document, !onList() && Boolean(one("[data-split]")));
})();
