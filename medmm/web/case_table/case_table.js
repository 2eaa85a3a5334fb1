/**
 * A table of cases: arrow keys go from row to row, Enter or a click chooses one.
 *
 * What is chosen is told by the case's id, never by the place of a row. Every text is put in as
 * text. The rows are drawn again only where the data changed: focus and scroll position stay.
 */

/** @type {WeakMap<Node, CaseTable>} */
const tables = new WeakMap();
const A_PAGE = 10; // rows, for PageUp and PageDown

/** Called by Streamlit at first and whenever the data changes. */
export default function caseTable({ parentElement, data, setTriggerValue }) {
  let table = tables.get(parentElement);
  if (!table) {
    table = new CaseTable(parentElement);
    tables.set(parentElement, table);
  }
  table.update(data, (id) => setTriggerValue("chosen", id));
  return () => {
    if (!parentElement.isConnected) tables.delete(parentElement);
  };
}

class CaseTable {
  constructor(place) {
    this.place = place;
    this.drawn = "";
    this.choose = () => {};
    this.scroller = element("div", "scroller");
    this.scroller.addEventListener("click", (event) => this.clicked(event));
    this.scroller.addEventListener("keydown", (event) => this.pressed(event));
    this.scroller.addEventListener("focusin", (event) => this.at(event.target));
    place.append(this.scroller);
  }

  update(data, choose) {
    this.choose = choose;
    const text = JSON.stringify(data);
    if (text === this.drawn) return;
    const first = this.drawn === "";
    const focused = this.place.activeElement?.closest?.("tr");
    const kept = focused && { id: focused.dataset.id, index: this.rows().indexOf(focused) };
    this.drawn = text;
    this.scroller.style.maxHeight = `calc(100vh - ${Number(data.around_px)}px)`;
    const top = this.scroller.scrollTop;
    this.scroller.replaceChildren(drawn(data));
    this.scroller.scrollTop = top;
    const rows = this.rows();
    const current = rows.find((row) => row.dataset.id === data.current) ?? rows[0];
    if (current) opener(current).tabIndex = 0;
    if (kept) {
      const same = rows.find((row) => row.dataset.id === kept.id);
      this.focus(same ?? rows[Math.min(kept.index, rows.length - 1)]);
    } else if (data.takes_keys && first && document.activeElement === document.body) {
      this.focus(current); // nobody types anywhere: the keys are the table's
    }
  }

  rows() {
    return [...this.scroller.querySelectorAll("tbody tr")];
  }

  focus(row) {
    if (row) opener(row).focus();
  }

  /** One row of the table is in the order of Tab: the one that was last at. */
  at(target) {
    for (const other of this.scroller.querySelectorAll("button")) other.tabIndex = -1;
    target.tabIndex = 0;
  }

  clicked(event) {
    const row = event.target.closest("tbody tr");
    if (!row || this.selecting()) return;
    this.choose(row.dataset.id);
  }

  /** Whether the click ended the marking of a text, to be copied. */
  selecting() {
    const selection = this.place.getSelection?.() ?? document.getSelection();
    return Boolean(selection && String(selection));
  }

  pressed(event) {
    const rows = this.rows();
    const index = rows.findIndex((row) => row === event.target.closest("tr"));
    const last = rows.length - 1;
    const to = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + A_PAGE,
      PageUp: index - A_PAGE,
      Home: 0,
      End: last,
    }[event.key];
    if (index < 0 || to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.focus(rows[Math.max(0, Math.min(to, last))]);
  }
}

function opener(row) {
  return row.querySelector("button");
}

function drawn(data) {
  const table = element("table");
  table.append(element("caption", "", data.label));
  const widths = element("colgroup");
  const head = element("tr");
  for (const column of data.columns) {
    const width = element("col");
    width.style.width = `${Number(column.width)}%`;
    widths.append(width);
    const title = element("th", "", column.title);
    title.scope = "col";
    head.append(title);
  }
  const top = element("thead");
  top.append(head);
  const body = element("tbody");
  body.append(...data.rows.map((row) => rowOf(row, data)));
  table.append(widths, top, body);
  return table;
}

function rowOf(row, data) {
  const line = element("tr", row.mark);
  line.dataset.id = row.id;
  data.columns.forEach((column, place) => {
    const text = row.cells[place];
    const cell = element(column.opens ? "th" : "td", column.name);
    cell.title = row.full?.[column.name] ?? text;
    if (column.opens) {
      cell.scope = "row";
      const button = element("button", "", text);
      button.type = "button";
      button.tabIndex = -1;
      button.dir = "auto";
      cell.append(button);
    } else {
      cell.textContent = text;
      cell.dir = "auto";
    }
    line.append(cell);
  });
  return line;
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}
