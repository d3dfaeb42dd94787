// Code that is wider than the page can be scrolled; then the keyboard must reach it, and only then.
(() => {
    const update = () => {
        for (const code of document.querySelectorAll("pre > code")) {
            if (code.scrollWidth > code.clientWidth) {
                code.tabIndex = 0;
            } else {
                code.removeAttribute("tabindex");
            }
        }
    };
    addEventListener("load", update);
    addEventListener("resize", update);
    document.addEventListener("toggle", update, true);
})();
