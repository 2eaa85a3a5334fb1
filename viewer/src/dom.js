/** Small helpers for elements. */

/** Make an element. @param {string} tag @param {Record<string, any>} [attributes] @param {...(Node|string)} children */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/** Change text only where it differs, so that nothing blinks and screen readers stay quiet. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Call later, and only for the last of several calls. */
export function debounced(call, waitMs) {
  let timer = 0;
  const later = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...given), waitMs);
  };
  later.stop = () => clearTimeout(timer);
  return later;
}
