// What pages need beyond htmx: keys, copying, the state of the live list, and what failed.
"use strict";

const ROWS = 300; // a live list keeps so many rows; older ones are on the pages behind it

const typing = (element) => element.matches("input, select, textarea, [contenteditable]");

// Keys: "?" says them all; "/" goes to the search field, "g" and a letter to a screen, Escape leaves a field.
let awaiting = 0;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  if (typing(event.target) && event.target.type !== "checkbox") {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "/") {
    const search = document.querySelector("[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  } else if (event.timeStamp < awaiting) {
    awaiting = 0;
    const link = [...document.querySelectorAll("[data-go]")].find((each) => each.dataset.go === event.key);
    if (link) link.click();
  } else if (event.key === "g") {
    awaiting = event.timeStamp + 1500;
  } else if (event.key === "?") {
    document.getElementById("help")?.showModal();
  } else if (event.key === "j" || event.key === "k") {
    step(event.key === "j" ? 1 : -1);
  } else if (event.key === "x") {
    const box = document.activeElement.closest("[data-row]")?.querySelector("[name=fingerprint]");
    if (box) box.click();
  }
});

// Rows of lists: "j" and "k" lead from link to link, "x" selects, the first box selects all.
const step = (by) => {
  const rows = [...document.querySelectorAll("[data-row]")];
  const at = rows.indexOf(document.activeElement.closest("[data-row]"));
  const next = rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))];
  next?.querySelector("a")?.focus();
};
const picks = () => [...document.querySelectorAll("[name=fingerprint][type=checkbox]")];
const showPicks = () => {
  const all = document.querySelector("[data-pick-all]");
  if (!all) return;
  const every = picks();
  const some = every.filter((each) => each.checked).length;
  all.hidden = false;
  all.checked = some > 0 && some === every.length;
  all.indeterminate = some > 0 && some < every.length;
  document.querySelector("[data-picked]").textContent = `${some} selected`;
};
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-pick-all]")) for (const each of picks()) each.checked = event.target.checked;
  if (event.target.closest(".triage")) showPicks();
});

// Copying: the text beside the button.
const showCopies = (root) => {
  if (!navigator.clipboard) return; // only offered by browsers to secure origins
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
};
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

// Errors: one place, in words, gone with the next success.
const tell = (text) => {
  const notice = document.getElementById("notice");
  notice.textContent = text;
  notice.hidden = !text;
};
const streaming = (element) => element instanceof Element && element.hasAttribute("hx-sse:connect");

document.addEventListener("htmx:response:error", (event) => {
  if (streaming(event.target)) return;
  const status = event.detail.ctx.response.status;
  if (status !== 401) tell(`The control plane answered with an error (${status}). What you see is from before.`);
});
document.addEventListener("htmx:after:swap", (event) => {
  if (!streaming(event.target)) tell("");
  showCopies(document);
  showPicks();
});

// Live lists: say how the stream is, come back when the first try failed, hold still on request.
const state = (text) => {
  const mark = document.getElementById("live-state");
  if (mark && mark.dataset.state !== text) {
    mark.dataset.state = text;
    mark.textContent = text;
  }
};
const retry = (element) => {
  state("reconnecting");
  setTimeout(() => element.dispatchEvent(new CustomEvent("retry")), 3000);
};
document.addEventListener("htmx:sse:after:connection", (event) => {
  if (event.detail.connection.status === 200) state("live");
});
document.addEventListener("htmx:sse:before:connection", (event) => {
  if (event.detail.connection.attempt > 0) state("reconnecting");
});
document.addEventListener("htmx:sse:error", (event) => {
  state("reconnecting");
  if (event.detail.status === 401) location.reload(); // the page becomes the sign-in form
});
document.addEventListener("htmx:error", (event) => {
  if (streaming(event.target)) retry(event.target);
  else tell("The control plane does not answer. What you see is from before.");
});
document.addEventListener("htmx:response:error", (event) => {
  if (streaming(event.target)) retry(event.target);
});

let held = [];
const paused = () => document.getElementById("live-pause")?.getAttribute("aria-pressed") === "true";
document.addEventListener("htmx:sse:before:message", (event) => {
  if (event.target.id !== "live-rows" || !paused()) return;
  event.preventDefault();
  held.unshift(event.detail.message.data);
  held.length = Math.min(held.length, ROWS);
  document.getElementById("live-pause").textContent = `Resume (${held.length} new)`;
});
document.addEventListener("htmx:sse:after:message", (event) => {
  if (event.target.id === "live-rows") trim(event.target);
});
const trim = (rows) => {
  rows.firstElementChild?.classList.add("fresh");
  while (rows.rows.length > ROWS) rows.deleteRow(-1);
};
const resume = (button, rows) => {
  button.textContent = "Pause";
  const template = document.createElement("template");
  template.innerHTML = held.join(""); // rows that the server rendered and escaped
  held = [];
  rows.prepend(template.content);
  trim(rows);
};

document.addEventListener("DOMContentLoaded", () => {
  showCopies(document);
  showPicks();
  const help = document.getElementById("help-open");
  if (help) {
    help.hidden = false;
    help.addEventListener("click", () => document.getElementById("help").showModal());
  }
  const pause = document.getElementById("live-pause");
  if (!pause) return;
  pause.hidden = false;
  pause.addEventListener("click", () => {
    const now = !paused();
    pause.setAttribute("aria-pressed", String(now));
    if (!now) resume(pause, document.getElementById("live-rows"));
  });
});
