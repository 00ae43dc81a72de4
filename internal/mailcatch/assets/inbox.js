// Asks for the list again when the inbox says it changed. Everything works
// without this script; a reload then shows what is new.
(() => {
  const main = document.getElementById("mails");
  if (!main || !window.EventSource) return;

  const pause = 250; // ms between two looks, for when mails pour in
  let busy = false;
  let again = false;

  const mark = (live) => {
    const label = document.querySelector(".live");
    if (label) label.hidden = !live;
  };

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    again = false;
    try {
      const answer = await fetch(location.href);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(part.id);
        const open = part.querySelector("details[open]"); // someone is about to press a button in it
        if (fresh && !open) part.replaceChildren(...fresh.childNodes);
      }
      mark(true);
    } catch {
      mark(false); // the next event tries again
    }
    setTimeout(() => { busy = false; if (again) refresh(); }, pause);
  }

  const events = new EventSource("/events");
  events.addEventListener("change", refresh);
  let opened = false;
  events.onopen = () => { if (opened) refresh(); else mark(true); opened = true; };
  events.onerror = () => mark(false);
})();
