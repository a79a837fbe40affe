// Runs before the first paint, so that folded parts do not jump.
(function () {
  "use strict";
  try {
    for (const part of ["nav", "pane"]) {
      if (localStorage.getItem("saldo-fold-" + part) === "1") document.documentElement.classList.add("fold-" + part);
    }
  } catch (refused) {
    // Storage may be forbidden: then nothing is folded.
  }
})();
