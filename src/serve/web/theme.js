/* theme.js - light or dark, before anything is drawn: what the user chose, else what the system says. */
(() => {
  try {
    const theme = localStorage.getItem("unseen.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    /* storage is blocked: the system's choice holds */
  }
})();
