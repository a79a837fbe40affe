// The playbook's text: a problem leads to its line.
(function () {
  "use strict";

  function showLine(area, number) {
    const lines = area.value.split("\n");
    const start = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
    area.focus();
    area.setSelectionRange(start, start + (lines[number - 1] || "").length);
    const height = parseFloat(getComputedStyle(area).lineHeight) || 20;
    area.scrollTop = Math.max(0, (number - 4) * height);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-line]");
    const area = document.querySelector("textarea[name=text]");
    if (button && area) showLine(area, Number(button.dataset.line));
  });

  const wanted = document.querySelector(".playbook-editor [autofocus]");
  if (wanted) wanted.scrollIntoView({ block: "center" });
})();
