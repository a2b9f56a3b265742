"use strict";
(() => {
  const field = document.getElementById("search");
  const found = document.getElementById("found");
  const all = document.getElementById("all");
  const talks = [...document.querySelectorAll("details")];
  const memory = document.getElementById("memory");
  const items = [...document.querySelectorAll("#memory li")];
  const groups = [...document.querySelectorAll("#memory ul")];
  const bars = [...document.querySelectorAll("rect.pick")];
  let words = [];
  let bar = null;
  const has = (text) => words.every((word) => text.includes(word));
  const low = (node) => node.textContent.toLowerCase();
  const within = (p) => !bar || (p.title >= bar.dataset.from && p.title < bar.dataset.until);
  const active = () => words.length > 0 || bar !== null;
  const hits = (talk) => [...talk.querySelectorAll("p")].filter((p) => within(p) && has(low(p)));

  const snippet = (talk, p) => {
    let line = talk.querySelector(".snip");
    if (!p || words.length === 0) {
      if (line) line.remove();
      return;
    }
    if (!line) {
      line = document.createElement("small");
      line.className = "snip";
      talk.querySelector("summary").append(line);
    }
    const text = p.textContent;
    const at = Math.max(0, text.toLowerCase().indexOf(words[0]) - 40);
    line.textContent = (at > 0 ? "… " : "") + text.slice(at, at + 140).replace(/\s+/g, " ") + " …";
  };

  const highlight = () => {
    if (!CSS.highlights) return;
    CSS.highlights.delete("found");
    if (words.length === 0) return;
    const ranges = [];
    const nodes = [...items.filter((item) => !item.hidden)];
    for (const talk of talks) {
      if (talk.hidden) continue;
      const line = talk.querySelector(".snip");
      if (line) nodes.push(line);
      nodes.push(talk.querySelector("bdi"));
      if (talk.open) nodes.push(...talk.querySelectorAll("p"));
    }
    for (const node of nodes) {
      const walk = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
      while (walk.nextNode() && ranges.length < 5000) {
        const text = walk.currentNode.data.toLowerCase();
        if (text.length !== walk.currentNode.data.length) continue;
        for (const word of words) {
          for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
            const range = new Range();
            range.setStart(walk.currentNode, at);
            range.setEnd(walk.currentNode, at + word.length);
            ranges.push(range);
          }
        }
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  };

  const mark = (talk, scroll) => {
    const of = new Set(active() ? hits(talk) : []);
    let first = null;
    for (const p of talk.querySelectorAll("p")) {
      p.classList.toggle("hit", of.has(p));
      if (of.has(p) && !first) first = p;
    }
    if (first && scroll) first.scrollIntoView({ block: "center" });
  };

  const search = () => {
    words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let [talked, known] = [0, 0];
    for (const item of items) {
      item.hidden = bar !== null || !has(low(item));
      known += item.hidden ? 0 : 1;
    }
    for (const group of groups) {
      const empty = [...group.children].every((item) => item.hidden);
      group.hidden = empty;
      group.previousElementSibling.hidden = empty;
    }
    memory.hidden = active() && known === 0;
    for (const talk of talks) {
      const title = bar === null && has(low(talk.querySelector("bdi")));
      const of = active() ? hits(talk) : [];
      talk.hidden = active() && of.length === 0 && !title;
      talked += talk.hidden ? 0 : 1;
      snippet(talk, of[0]);
      if (talk.open) mark(talk, false);
    }
    for (const other of bars) other.classList.toggle("on", other === bar);
    const many = (n, one, more) => n + " " + (n === 1 ? one : more);
    const when = bar ? ", " + bar.textContent.split(":")[0] : "";
    found.value = active()
      ? many(talked, "conversation", "conversations") +
        (bar ? "" : ", " + many(known, "memory", "memories")) + when
      : "";
    all.hidden = !active();
    highlight();
  };

  let waiting = 0;
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 150);
  });
  all.addEventListener("click", () => {
    field.value = "";
    bar = null;
    search();
  });
  for (const one of bars) {
    one.addEventListener("click", () => {
      bar = bar === one ? null : one;
      search();
    });
  }
  for (const talk of talks) {
    talk.addEventListener("toggle", () => {
      if (talk.open && active()) mark(talk, true);
      if (active()) highlight();
    });
  }
})();
