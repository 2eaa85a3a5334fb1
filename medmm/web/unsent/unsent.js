// Puts aside in this tab what is typed into the fields of a case, until the server has it.
// Streamlit sends a field when it loses the focus: a server that dies before, or a page that is
// left, would take the words with it. They are offered again and never put into a field by itself.

const PLACE = "medmm-unsent";
const OF_A_CASE = /^st-key-.*case-[a-z0-9]+/;
const LIFETIME_MS = 12 * 3600 * 1000;
const LONGEST = 200000; // characters of all fields together
const AFTER_MS = 800; // a run of the page has drawn its fields by then
const LIFE = Math.random().toString(36).slice(2); // of this page, until it is loaded anew

// The name of a field of a case: the class that its element has for its key.
function nameOf(field) {
  const typed = field instanceof HTMLTextAreaElement || field?.type === "text";
  if (!typed || field.getAttribute("role") === "combobox") return "";
  const around = field.closest('[class*="st-key-"]');
  return [...(around?.classList ?? [])].find((one) => OF_A_CASE.test(one)) ?? "";
}

function fieldOf(name) {
  return document.querySelector(`.${CSS.escape(name)} :is(textarea, input)`);
}

function stored() {
  try {
    const found = JSON.parse(sessionStorage.getItem(PLACE) ?? "{}");
    return { reader: found.reader, words: Array.isArray(found.words) ? found.words : [] };
  } catch {
    return { words: [] };
  }
}

class Unsent {
  constructor() {
    const { reader, words } = stored();
    this.reader = reader;
    this.words = words;
    this.said = "[]";
    this.typed = (event) => this.keep(event.composedPath()[0]);
    document.addEventListener("input", this.typed, { capture: true });
  }

  // `known` holds what the server has, by name; `forgotten` what its reader wants no more.
  update({ reader, case: open, known, forgotten }, tell) {
    if (this.reader !== reader) this.words = [];
    Object.assign(this, { reader, open, known, tell });
    const since = Date.now() - LIFETIME_MS;
    this.words = this.words.filter(
      (one) => one.at > since && known[one.name] !== one.text && !forgotten.includes(one.id),
    );
    this.store();
    window.clearTimeout(this.due);
    this.due = window.setTimeout(() => this.offer(), AFTER_MS);
  }

  keep(field) {
    const name = nameOf(field);
    if (!name || !this.reader) return;
    const id = `${LIFE} ${name}`;
    this.words = this.words.filter((one) => one.id !== id);
    if (this.known?.[name] !== field.value) {
      this.words.push({ id, name, text: field.value, at: Date.now() });
    }
    this.store();
  }

  store() {
    let left = LONGEST;
    const kept = this.words.toReversed().filter((one) => (left -= one.text.length) >= 0);
    try {
      if (kept.length === 0) sessionStorage.removeItem(PLACE);
      else {
        const words = kept.toReversed();
        sessionStorage.setItem(PLACE, JSON.stringify({ reader: this.reader, words }));
      }
    } catch {
      // A browser that stores nothing: the words are in the page as long as it stands
    }
  }

  // What stands in its field is not lost, whether it was sent or not.
  offer() {
    const lost = this.words
      .filter((one) => one.name.includes(this.open) && fieldOf(one.name)?.value !== one.text)
      .map(({ id, name, text }) => ({ id, name, text }));
    const said = JSON.stringify(lost);
    if (said === this.said) return;
    this.said = said;
    this.tell(lost);
  }

  stop() {
    window.clearTimeout(this.due);
    document.removeEventListener("input", this.typed, { capture: true });
  }
}

const kept = new WeakMap();

export default function unsent({ data, parentElement, setStateValue }) {
  let one = kept.get(parentElement);
  if (!one) {
    one = new Unsent();
    kept.set(parentElement, one);
  }
  one.update(data, (lost) => setStateValue("lost", lost));
  return () => {
    // Streamlit may also clean up a call that a newer one has overtaken
    if (parentElement.isConnected) return;
    kept.delete(parentElement);
    one.stop();
  };
}
