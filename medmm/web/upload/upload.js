/**
 * Sends files to the server, one after the other, with a bar that says how far it is.
 *
 * Each goes as its bytes alone, without its name, to a link that the page renews. What the server
 * has of them is told by it, so that a page that is drawn anew shows the same.
 */

/** What is sent goes on while its place in the page is gone, as in a form that is closed.
 * @type {Map<string, Upload>} */
const uploads = new Map();
const FILES_LEFT = "Medmm-Files-Left";
const NEW_LINK_MS = 20_000;

/** Called by Streamlit at first and whenever the data changes. */
export default function upload({ parentElement, data, setTriggerValue }) {
  let found = uploads.get(data.id);
  if (!found) {
    found = new Upload();
    uploads.set(data.id, found);
  }
  found.stand(parentElement);
  found.update(data, (news) => setTriggerValue("news", news));
  return () => {
    if (!found.sending && !parentElement.isConnected) uploads.delete(data.id);
  };
}

class Refused extends Error {
  constructor(problem, remedy = "", link = false) {
    super(problem);
    this.remedy = remedy;
    this.link = link;
  }
}

class Upload {
  constructor() {
    this.request = null;
    this.place = null;
    this.label = element("label", "choose");
    this.words = element("span", "words");
    this.input = element("input");
    this.input.type = "file";
    this.label.append(this.words, this.input);
    this.bar = element("progress");
    this.bar.max = 1;
    this.bar.hidden = true;
    this.said = element("p", "said");
    this.said.setAttribute("role", "status");
    this.end = element("button", "end");
    this.end.type = "button";
    this.end.hidden = true;
    this.input.addEventListener("change", () => {
      const files = [...this.input.files];
      this.input.value = ""; // the same file may be chosen again
      if (files.length) this.send(files);
    });
    this.end.addEventListener("click", () => this.clear());
    this.label.addEventListener("dragover", (event) => event.preventDefault());
    this.label.addEventListener("drop", (event) => {
      event.preventDefault();
      const files = [...event.dataTransfer.files];
      if (files.length && !this.sending) this.send(this.data.multiple ? files : files.slice(0, 1));
    });
  }

  stand(place) {
    if (this.place === place) return;
    this.place = place;
    place.append(this.label, this.bar, this.said, this.end);
  }

  update(data, tell) {
    this.data = data;
    this.tell = tell;
    this.words.textContent = data.label;
    this.input.setAttribute("aria-label", data.label);
    this.input.multiple = data.multiple;
    this.bar.setAttribute("aria-label", "Sent so far");
    this.renewed?.();
    if (!this.sending) this.rest();
  }

  /** Shows what the server has, or why a file did not get there. */
  rest() {
    const { files, bytes } = this.data;
    this.bar.hidden = true;
    this.input.disabled = false;
    this.end.hidden = files === 0;
    this.end.textContent = "Remove";
    this.label.classList.remove("sending");
    this.said.classList.toggle("failed", Boolean(this.failed));
    const received = files ? `${count(files)} received, ${size(bytes)}.` : "";
    this.said.textContent = [this.failed, received].filter(Boolean).join(" ");
  }

  async send(files) {
    const whole = files.reduce((sum, file) => sum + file.size, 0);
    const { limit, held } = this.data;
    if (whole + held > limit) {
      this.failed =
        `${count(files.length)} of ${size(whole)}: at most ${size(limit)} can be sent at once. ` +
        "Admit the study by its path.";
      this.rest();
      return;
    }
    this.sending = true;
    this.failed = "";
    this.began();
    let before = 0;
    try {
      for (const [place, file] of files.entries()) {
        const left = files.length - place - 1;
        const seen = (sent) => this.seen(before + sent, whole, place, files.length);
        await this.sendOne(file, left, seen);
        before += file.size;
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.failed = [error.message, error.remedy].filter(Boolean).join(" ");
    } finally {
      this.sending = false;
      this.request = null;
    }
    this.rest();
    this.tell(Date.now());
  }

  began() {
    this.bar.hidden = false;
    this.bar.value = 0;
    this.input.disabled = true;
    this.end.hidden = false;
    this.end.textContent = "Cancel";
    this.label.classList.add("sending");
    this.said.classList.remove("failed");
    this.said.textContent = "";
  }

  seen(sent, whole, place, number) {
    this.bar.value = whole ? Math.min(1, sent / whole) : 1;
    const which = number > 1 ? `, file ${place + 1} of ${number}` : "";
    const rest = sent >= whole ? " The server takes it in …" : "";
    this.said.textContent = `${size(sent)} of ${size(whole)} sent${which}.${rest}`;
  }

  async sendOne(file, left, seen) {
    try {
      await this.post(file, left, seen);
    } catch (error) {
      if (!(error instanceof Refused && error.link)) throw error;
      await this.newLink();
      await this.post(file, left, seen);
    }
  }

  /** Asks the page for a link that holds: it runs again. */
  newLink() {
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Refused("The page does not answer.", "Reload it, then send again.")),
        NEW_LINK_MS,
      );
      this.renewed = () => {
        clearTimeout(late);
        this.renewed = null;
        resolve();
      };
      this.tell(Date.now());
    });
  }

  post(file, left, seen) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      this.request = request;
      request.open("POST", `${this.data.link}/${this.data.part}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.setRequestHeader(FILES_LEFT, String(left));
      request.upload.addEventListener("progress", (event) => seen(event.loaded));
      request.addEventListener("load", () => {
        if (request.status === 200) resolve();
        else reject(refusal(request));
      });
      request.addEventListener("error", () => reject(new Refused(
        "The connection ended while a file was sent.",
        "It may be too large, or the server is gone. Send it again.",
      )));
      request.addEventListener("abort", () => reject(new Refused("Cancelled.")));
      request.send(file);
    });
  }

  /** Stops what is being sent, and removes what was. */
  async clear() {
    this.request?.abort();
    this.failed = "";
    const place = `${this.data.link}/${this.data.part}`;
    try {
      await fetch(place, { method: "DELETE" });
    } catch {
      this.failed = "The server does not answer.";
    }
    this.tell(Date.now());
  }
}

function refusal(request) {
  let said = {};
  try {
    said = JSON.parse(request.responseText);
  } catch {
    // an answer of something in between
  }
  const problem = said.problem ?? `The server answers with ${request.status}.`;
  const expired = request.status === 403 && /expired/.test(problem);
  return new Refused(sentence(problem), sentence(said.remedy ?? "Send it again."), expired);
}

function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

function count(files) {
  return files === 1 ? "1 file" : `${files} files`;
}

function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

function element(name, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}
