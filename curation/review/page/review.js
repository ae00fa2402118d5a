"use strict";

const byId = (name) => document.getElementById(name);
const KEYS = { 1: "first", 2: "second", t: "tie", s: "skip" };
let at = 0;
let sending = false;

function put(parent, tag, text, kind) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.textContent = text;
  parent.append(made);
  return made;
}

function trouble(text) {
  byId("trouble").textContent = text;
  byId("trouble").hidden = !text;
}

async function ask(path, body) {
  const options = body
    ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }
    : {};
  const answer = await fetch(path, options);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error || answer.statusText);
  return told;
}

function show(told) {
  at = told.at;
  const over = told.at >= told.total;
  byId("progress").textContent = `${told.done} of ${told.total} pairs reviewed by ${told.by}`;
  byId("bar").max = Math.max(1, told.total);
  byId("bar").value = told.done;
  byId("asking").hidden = over;
  byId("over").hidden = !over;
  if (over) {
    summarise(told.summary);
    return;
  }
  byId("prompt").replaceChildren();
  for (const turn of told.prompt) {
    const box = put(byId("prompt"), "div", "", "turn");
    put(box, "div", turn.role, "role");
    put(box, "div", turn.content);
  }
  byId("first").textContent = told.answers[0];
  byId("second").textContent = told.answers[1];
  byId("note").value = told.before ? told.before.note : "";
  byId("before").textContent = told.before ? "You have been here before; another verdict replaces the marked one." : "";
  for (const button of document.querySelectorAll("[data-choice]")) {
    button.setAttribute("aria-pressed", String(!!told.before && told.before.choice === button.dataset.choice));
  }
  byId("back").disabled = told.at === 0;
  window.scrollTo(0, 0);
}

function summarise(rows) {
  byId("summary").replaceChildren();
  if (!rows || !rows.length) return;
  const table = put(byId("summary"), "table", "");
  put(table, "caption", "Who agrees with whom");
  const head = put(table, "tr", "");
  for (const name of ["", "", "pairs", "same verdict", "Cohen's kappa"]) put(head, "th", name).scope = "col";
  for (const row of rows) {
    const line = put(table, "tr", "");
    put(line, "td", row.one);
    put(line, "td", row.other);
    put(line, "td", String(row.n));
    put(line, "td", row.share.toFixed(2));
    put(line, "td", row.kappa === null ? "undefined" : row.kappa.toFixed(2));
  }
}

async function go(work) {
  if (sending) return;
  sending = true;
  try {
    show(await work());
    trouble("");
  } catch (error) {
    trouble(`Nothing was kept of this: ${error.message}. Is the command still running?`);
  } finally {
    sending = false;
  }
}

const say = (choice) => go(() => ask("verdict", { at, choice, note: byId("note").value }));
const back = () => at > 0 && go(() => ask(`item/${at - 1}`));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === byId("note")) {
    if (event.key === "Escape") byId("note").blur();
    return;
  }
  if (event.key === "n" && !byId("asking").hidden) {
    event.preventDefault();
    byId("note").focus();
  } else if (event.key === "b") back();
  else if (KEYS[event.key] && !byId("asking").hidden) say(KEYS[event.key]);
});
for (const button of document.querySelectorAll("[data-choice]")) {
  button.addEventListener("click", () => say(button.dataset.choice));
}
byId("back").addEventListener("click", back);
go(() => ask("item/next"));
