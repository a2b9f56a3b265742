"use strict";
(() => {
  const field = document.getElementById("search");
  const found = document.getElementById("found");
  const talks = [...document.querySelectorAll("details")];
  const items = [...document.querySelectorAll("#memory li")];
  const has = (node, words) => {
    const text = node.textContent.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  let words = [];
  const mark = (talk) => {
    let first = null;
    for (const p of talk.querySelectorAll("p")) {
      const hit = words.length > 0 && has(p, words);
      p.classList.toggle("hit", hit);
      if (hit && !first) first = p;
    }
    if (first) first.scrollIntoView({ block: "nearest" });
  };
  const search = () => {
    words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let seen = 0;
    for (const node of [...items, ...talks]) {
      node.hidden = words.length > 0 && !has(node, words);
      if (!node.hidden) seen += 1;
    }
    for (const talk of talks) if (talk.open) mark(talk);
    found.value = words.length > 0 ? seen + " found" : "";
  };
  let waiting = 0;
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 200);
  });
  for (const talk of talks) {
    talk.addEventListener("toggle", () => {
      if (talk.open && words.length > 0) mark(talk);
    });
  }
})();
