// The keyboard: one letter for each act. Nothing here changes data by itself: it presses the page's own buttons.
(function () {
  "use strict";
  const GO = { l: "worklist", c: "accounts", b: "cash", p: "mail", i: "imports", d: "dashboard", k: "playbooks", t: "disputes" };
  const PLACES = {
    worklist: "/", accounts: "/accounts/", cash: "/cash/", mail: "/mail/", imports: "/imports/",
    dashboard: "/dashboard/", playbooks: "/playbooks/", disputes: "/disputes/",
  };
  const PREFIX_MILLISECONDS = 1200;
  let prefixUntil = 0;

  const typing = (element) =>
    element && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName)) &&
    !/^(checkbox|radio|button|submit)$/.test(element.type || "");

  function press(selector) {
    const button = document.querySelector(selector);
    if (button) button.click();
    return Boolean(button);
  }

  function goTo(letter) {
    const address = PLACES[GO[letter]];
    const link = address && document.querySelector(`nav.side a[href="${address}"]`);
    if (link) link.click();
    return Boolean(link);
  }

  const ACTS = {
    j: () => window.saldo.move(1),
    ArrowDown: () => window.saldo.move(1),
    k: () => window.saldo.move(-1),
    ArrowUp: () => window.saldo.move(-1),
    Enter: () => window.saldo.openSelected(),
    o: () => window.saldo.openAccount(),
    c: () => press('[data-pane] [data-key="c"]'),
    p: () => press('[data-pane] [data-key="p"]'),
    d: () => press('[data-pane] [data-key="d"]'),
    e: () => press('[data-pane] [data-key="e"]') || press('.tabs [data-key="e"]'),
    x: () => press('[data-pane] [data-key="x"]'),
    s: () => press('[data-pane] [data-key="s"]'),
    n: () => press('[data-pane] [data-key="n"]'),
    w: () => press("tr.row.selected [data-row-key=w]"),
    u: () => press("#toasts [data-undo] button") || press('[data-pane] button[value="undone"]'),
    "/": () => window.saldo.openDialog("palette"),
    "?": () => window.saldo.openDialog("help"),
    "[": () => window.saldo.fold("nav"),
    "]": () => window.saldo.fold("pane"),
  };

  // A letter presses a choice, or goes to a field.
  function letter(event, dialog) {
    const place = dialog.querySelector(`[data-letter="${event.key.toLowerCase()}"]`);
    if (!place) return;
    event.preventDefault();
    if (typing(place)) place.focus();
    else place.click();
  }

  function inDialog(event, dialog) {
    if (/^[a-z]$/i.test(event.key) && !typing(event.target)) letter(event, dialog);
    if (/^[1-9]$/.test(event.key) && dialog.hasAttribute("data-digits") && !typing(event.target)) {
      const button = dialog.querySelector(`[data-digit="${event.key}"]`);
      if (button) {
        event.preventDefault();
        button.click();
      }
    }
    if (dialog.id === "palette" && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const stops = [dialog.querySelector("input"), ...dialog.querySelectorAll("#hits a")];
      const at = stops.indexOf(document.activeElement);
      const next = stops[(at + (event.key === "ArrowDown" ? 1 : -1) + stops.length) % stops.length];
      if (next) next.focus();
    }
    if (dialog.id === "palette" && event.key === "Enter" && event.target.matches("input")) {
      const first = dialog.querySelector("#hits a");
      if (first && event.target.value.trim()) {
        event.preventDefault();
        first.click();
      }
    }
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      window.saldo.openDialog("palette");
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const dialog = document.querySelector("dialog[open]");
    if (dialog) {
      inDialog(event, dialog);
      return;
    }
    if (typing(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (Date.now() < prefixUntil) {
      prefixUntil = 0;
      if (goTo(event.key)) event.preventDefault();
      return;
    }
    if (event.key === "g") {
      prefixUntil = Date.now() + PREFIX_MILLISECONDS;
      return;
    }
    // Enter on a link or a button does what it always does, except on the selected row's own link.
    const isOwn = event.target === document.body || event.target.id === "pane" || event.target.id === "main";
    if (event.key === "Enter" && !isOwn && !event.target.matches("tr.row a.name")) return;
    const act = (window.saldo.acts || {})[event.key] || ACTS[event.key];
    if (act && act(event) !== false) event.preventDefault();
  });
})();
