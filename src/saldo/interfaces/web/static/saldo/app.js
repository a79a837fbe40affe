// The page's own behavior: selecting rows, the pane, dialogs, notices. Everything works without it, more slowly.
(function () {
  "use strict";
  const WIDE = window.matchMedia("(min-width: 1101px)");
  const PANE_DELAY_MILLISECONDS = 90;
  const TOAST_MILLISECONDS = 12000;
  let paneTimer = 0;

  const one = (selector, root) => (root || document).querySelector(selector);
  const every = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const rows = () => every("tr.row").filter((row) => !row.closest("[hidden]"));
  const selected = () => one("tr.row.selected");
  const hasPane = () => document.body.classList.contains("with-pane") && WIDE.matches;

  // Each place asks for itself: requests of one element wait for each other, those of different ones do not.
  function load(address, selector, swap) {
    return window.htmx.ajax("GET", address, { source: selector, target: selector, swap: swap });
  }

  function showPane(row, now) {
    if (!hasPane() || !row.dataset.href) return;
    clearTimeout(paneTimer);
    paneTimer = setTimeout(() => {
      load(row.dataset.href, "#pane", "innerHTML show:none");
    }, now ? 0 : PANE_DELAY_MILLISECONDS);
  }

  function select(row, options) {
    if (!row) return false;
    const before = selected();
    if (before && before !== row) {
      before.classList.remove("selected");
      before.removeAttribute("aria-current");
    }
    row.classList.add("selected");
    row.setAttribute("aria-current", "true");
    if (options && options.focus) {
      const link = one("a.name", row);
      if (link) link.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
    }
    if (before !== row || (options && options.reload)) showPane(row, options && options.now);
    return true;
  }

  function move(step) {
    const all = rows();
    if (!all.length) return false;
    const at = all.indexOf(selected());
    return select(all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + step))], { focus: true });
  }

  // A row that opens in place: its part is fetched once, then shown and hidden.
  function unfold(row) {
    const link = one("a.name", row);
    const part = document.getElementById(row.id + "-more");
    if (part) part.hidden = !part.hidden;
    const isOpen = !part || !part.hidden;
    row.classList.toggle("open", isOpen);
    link.setAttribute("aria-expanded", String(isOpen));
    if (part || row.getAttribute("aria-busy")) return;
    row.setAttribute("aria-busy", "true");
    window.htmx.ajax("GET", row.dataset.detail, { source: row, target: row, swap: "afterend" }).then(() => {
      row.removeAttribute("aria-busy");
      const opened = document.getElementById(row.id + "-more");
      if (!opened) {
        row.classList.remove("open");
        link.setAttribute("aria-expanded", "false");
        return;
      }
      opened.hidden = !row.classList.contains("open");
      link.setAttribute("aria-controls", opened.id);
      opened.scrollIntoView({ block: "nearest" });
    });
  }

  function openSelected() {
    const row = selected();
    if (!row) return false;
    if (row.dataset.detail) {
      unfold(row);
      return true;
    }
    if (hasPane()) {
      document.documentElement.classList.remove("fold-pane");
      one("#pane").focus();
      return true;
    }
    location.assign(row.dataset.href || row.dataset.page);
    return true;
  }

  function openAccount() {
    const place = selected() || one("[data-pane][data-page]");
    if (!place || !place.dataset.page) return false;
    location.assign(place.dataset.page);
    return true;
  }

  function openDialog(id, part) {
    const dialog = document.getElementById(id);
    if (!dialog || dialog.open) return false;
    const opened = one("dialog[open]");
    if (opened) opened.close();
    for (const menu of every("details.menu[open]")) menu.open = false;
    dialog.showModal();
    if (dialog.dataset.load) {
      const address = dialog.dataset.load + (part ? `?part=${encodeURIComponent(part)}` : "");
      dialog.replaceChildren();
      load(address, `#${id}`, "innerHTML");
      return true;
    }
    const first = one("[data-autofocus]", dialog) || one("input[type=search]", dialog) ||
      one("[data-digit]", dialog) || one(".dialog-head h2", dialog);
    if (first) {
      if (first.tagName === "H2") first.tabIndex = -1;
      first.focus();
      if (first.select) first.select();
    }
    return true;
  }

  function fold(part) {
    const folded = document.documentElement.classList.toggle("fold-" + part);
    try {
      localStorage.setItem("saldo-fold-" + part, folded ? "1" : "0");
    } catch (refused) {
      // Not remembered then.
    }
    return true;
  }

  // --- what a person did -----------------------------------------------------------------------------

  function countDown(row) {
    let heading = row.previousElementSibling;
    while (heading && !heading.classList.contains("block")) heading = heading.previousElementSibling;
    const count = heading && one("[data-block-count]", heading);
    if (!count) return;
    const number = Number(count.textContent.replace(/\D/g, "")) - 1;
    count.textContent = number.toLocaleString(document.documentElement.lang);
  }

  function neighbor(row) {
    for (const side of ["nextElementSibling", "previousElementSibling"]) {
      let other = row[side];
      while (other && !other.classList.contains("row")) other = other[side];
      if (other && other.dataset.account !== row.dataset.account) return other;
    }
    return null;
  }

  function reloadList(account) {
    if (!one("[data-list]")) return;
    load(location.pathname + location.search, "#list", "outerHTML").then(() => {
      const row = one(`tr.row[data-account="${account}"]`) || rows()[0];
      if (row) select(row, { focus: true, reload: true, now: true });
    });
  }

  document.addEventListener("saldo:outcome", (event) => {
    const { account, state, left } = event.detail;
    const count = one("#nav-count");
    if (count) count.textContent = left;
    const dialog = one("dialog[open]");
    if (dialog) dialog.close();
    for (const old of every("#toasts [data-toast]").slice(0, -1)) old.remove();
    if (state === "note") {
      const row = selected();
      if (row) select(row, { reload: true, now: true });
      else if (document.body.classList.contains("pane-page")) location.reload();
      return;
    }
    if (!one("[data-list]")) {
      if (state === "undone" || document.body.matches(".pane-page, .call-page")) {
        setTimeout(() => location.assign("/"), 700);
      }
      return;
    }
    if (state === "undone") {
      reloadList(account);
      return;
    }
    const gone = every(`tr.row[data-account="${account}"]`);
    if (!gone.length) return;
    const next = neighbor(gone[0]);
    for (const row of gone) {
      countDown(row);
      row.remove();
    }
    for (const heading of every("tr.block")) {
      const after = heading.nextElementSibling;
      if (!after || after.classList.contains("block")) heading.remove();
    }
    if (next) {
      select(next, { focus: true });
      load(location.pathname + location.search, "#summary", "outerHTML");
    } else {
      reloadList(account);
    }
  });

  // --- htmx ------------------------------------------------------------------------------------------

  document.addEventListener("htmx:configRequest", (event) => {
    const { verb, parameters, elt } = event.detail;
    if (verb !== "get" || !elt.matches("[data-filters]")) return;
    for (const name of [...Object.keys(parameters)]) {
      if (parameters[name] === "") delete parameters[name];
    }
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    // A designed error goes into the form it is about.
    if (event.detail.target && event.detail.target.id === "problem") {
      event.detail.target = one("dialog[open] .form-error") || one("#problem");
    }
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    const target = event.detail.target;
    if (target.id === "list" && hasPane() && !selected()) select(rows()[0], { now: true });
    if (target.id === "toasts") {
      for (const toast of every("[data-toast]:not([data-timed])", target)) {
        toast.dataset.timed = "1";
        setTimeout(() => { if (!toast.matches(":hover, :focus-within")) toast.remove(); }, TOAST_MILLISECONDS);
      }
    }
  });

  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (status === 401 || status === 403) location.reload();
    const place = one("dialog[open] .form-error") || one("#problem");
    if (place) place.textContent = `${document.documentElement.lang === "it" ? "Non riuscito" : "Failed"} (${status}).`;
  });

  document.addEventListener("htmx:sendError", () => {
    const place = one("dialog[open] .form-error") || one("#problem");
    if (place) place.textContent = document.documentElement.lang === "it" ? "Il server non risponde." : "The server does not answer.";
  });

  // --- clicks and changes ----------------------------------------------------------------------------

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) {
      event.preventDefault();
      openDialog(opener.dataset.open, opener.dataset.part);
      return;
    }
    if (event.target.closest("[data-close]") || event.target.tagName === "DIALOG") {
      const dialog = event.target.closest("dialog");
      if (dialog) dialog.close();
      return;
    }
    const folder = event.target.closest("[data-fold]");
    if (folder) fold(folder.dataset.fold);
    const setter = event.target.closest("[data-set-date]");
    if (setter) one("input[type=date]", setter.closest("form")).value = setter.dataset.setDate;
    const copier = event.target.closest("[data-copy]");
    if (copier) copy(copier);
    if (event.target.closest("[data-print]")) window.print();
    const definer = event.target.closest("[data-define]");
    if (definer) {
      const text = one(".definition", definer.closest("div"));
      text.hidden = !text.hidden;
      definer.setAttribute("aria-expanded", String(!text.hidden));
    }
    clickRow(event);
    for (const menu of every("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  function clickRow(event) {
    const row = event.target.closest("tr.row");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (String(getSelection()).length > 0 && !event.target.closest("a")) return;
    if (row.dataset.detail) {
      if (event.target.closest("a, button") && !event.target.closest("a.name")) return;
      event.preventDefault();
      select(row, { focus: true });
      unfold(row);
    } else if (hasPane() && row.dataset.href) {
      event.preventDefault();
      document.documentElement.classList.remove("fold-pane");
      select(row, { focus: true, now: true });
    } else if (!event.target.closest("a, button")) {
      location.assign(row.dataset.href || row.dataset.page);
    }
  }

  async function copy(button) {
    const field = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(field.value);
    } catch (refused) {
      field.select();
      document.execCommand("copy");
    }
    button.classList.add("did");
    setTimeout(() => button.classList.remove("did"), 1500);
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-autosubmit]")) event.target.form.requestSubmit();
    if (event.target.matches("[data-files]")) sendFiles(event.target.form);
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr.row");
    if (row && event.target.matches("a.name") && row !== selected()) select(row);
  });

  // --- files -----------------------------------------------------------------------------------------

  function sendFiles(form) {
    const input = one("[data-files]", form);
    const total = [...input.files].reduce((sum, file) => sum + file.size, 0);
    const tooLarge = one("[data-too-large]", form);
    tooLarge.hidden = total <= Number(form.dataset.limit);
    if (!tooLarge.hidden || !input.files.length) return;
    form.classList.add("busy");
    form.submit();
  }

  const drop = one("[data-drop]");
  if (drop) {
    for (const name of ["dragenter", "dragover"]) {
      drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
    }
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      one("[data-files]", drop).files = event.dataTransfer.files;
      sendFiles(drop);
    });
  }

  window.saldo = { move, select, load, openSelected, openAccount, openDialog, fold };
  if (document.body.classList.contains("with-pane") && hasPane()) select(rows()[0], { now: true });
})();
