// Says that somebody works at the page, and covers it when the sign-in has ended.
// The server refuses by itself; this hides what is on the screen and sends what was typed.

const SESSION = "/session";
const ACTS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"];
const UNSENT = "medmm-unsent"; // what `unsent.js` keeps
const BACK = "medmm-back"; // the address that was asked for before signing in, in this tab
const STALE_MS = 1500;
const COMMIT_MS = 600; // Streamlit sends a field when it loses the focus

const WORDS = {
  idle: "Locked, because nobody worked at this page.",
  expired: "Your sign-in has expired.",
  lost: "The server does not answer. What you typed is still in the page.",
};

function cover(state) {
  let place = document.getElementById("medmm-cover");
  if (!place) {
    place = document.createElement("div");
    place.id = "medmm-cover";
    place.setAttribute("role", "alert");
    place.style.cssText =
      "position:fixed;inset:0;z-index:2147483647;display:flex;align-items:center;" +
      "justify-content:center;background:#0f1214;color:#d9dfe3;font:500 20px/1.5 sans-serif;" +
      "padding:2rem;text-align:center";
    document.body.append(place);
  }
  place.textContent = WORDS[state] ?? "You are signed out.";
  reach(false);
}

function uncover() {
  document.getElementById("medmm-cover")?.remove();
  reach(true);
}

// What is covered is out of reach of keys and screen readers as well.
function reach(may) {
  const page = document.getElementById("root");
  if (page) page.inert = !may;
}

class Watch {
  constructor() {
    this.worked = false;
    this.failed = 0;
    this.note = () => {
      this.worked = true;
    };
    for (const kind of ACTS) {
      window.addEventListener(kind, this.note, { capture: true, passive: true });
    }
  }

  // `open` is what the last run of the page found; another answer of the server is news.
  update({ everyMs, open, back }, tell) {
    Object.assign(this, { everyMs, open, tell });
    if (this.led(open, back)) return;
    this.told = false;
    // What the page showed before stays a moment longer than the answer that nobody is signed in
    window.setTimeout(uncover, open ? 0 : STALE_MS);
    // Once begun it goes on at its own pace, however often the page runs
    this.next ??= window.setTimeout(() => this.ask(), everyMs);
  }

  // The provider sends everybody to the first page: a link to a case leads on from there.
  led(open, back) {
    if (!open) {
      if (back) sessionStorage.setItem(BACK, location.pathname + location.search);
      return false;
    }
    const wanted = sessionStorage.getItem(BACK);
    sessionStorage.removeItem(BACK);
    if (!back || !wanted || wanted === "/" || wanted.startsWith("/?sign_in=")) return false;
    const address = new URL(wanted, location.origin);
    if (address.origin !== location.origin) return false;
    location.replace(address);
    return true;
  }

  async ask() {
    const method = this.open && this.worked ? "POST" : "GET";
    this.worked = false;
    try {
      const answer = await fetch(SESSION, { method, cache: "no-store" });
      this.news((await answer.json()).state);
      this.failed = 0;
    } catch {
      this.failed += 1;
      if (this.open && this.failed > 3) cover("lost");
    }
    this.next = window.setTimeout(() => this.ask(), this.everyMs);
  }

  news(state) {
    if (!this.open) {
      // Somebody signed in, in another tab
      if (state === "open") window.location.reload();
    } else if (state === "open") {
      if (!this.told) uncover();
    } else if (!this.told) {
      this.told = true;
      cover(state);
      document.activeElement?.blur?.();
      window.setTimeout(() => {
        // The server has it now; one that was started anew knows nobody, and got nothing
        if (state !== "nobody") sessionStorage.removeItem(UNSENT);
        this.tell(state);
      }, COMMIT_MS);
    }
  }

  stop() {
    window.clearTimeout(this.next);
    this.ask = async () => {};
    for (const kind of ACTS) window.removeEventListener(kind, this.note, { capture: true });
    uncover();
  }
}

const watches = new WeakMap();

export default function sessionWatch({ data, parentElement, setTriggerValue }) {
  let watch = watches.get(parentElement);
  if (!watch) {
    watch = new Watch();
    watches.set(parentElement, watch);
  }
  watch.update(data, (state) => setTriggerValue("ended", state));
  return () => {
    // Streamlit may also clean up a call that a newer one has overtaken: the watch stays then.
    if (parentElement.isConnected) return;
    watches.delete(parentElement);
    watch.stop();
  };
}
