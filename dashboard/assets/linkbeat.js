// Makes pages more comfortable. Every page works without it.
"use strict";

const lang = document.documentElement.lang;
// The visitor's own kind of English or Chinese, if the page speaks it.
const locale = navigator.language.split("-")[0] === lang.split("-")[0] ? navigator.language : lang;
const full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
// Parts of the page as the server sent them.
const asSent = new WeakMap();
const withZone = new Intl.DateTimeFormat(locale, {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});

// The server writes UTC. Here it becomes the visitor's own time. The title keeps UTC, and names the zone of both.
function localizeTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (element.dataset.done || Number.isNaN(moment.getTime())) continue;
    element.dataset.done = "1";
    element.title = `${withZone.format(moment)} = ${element.textContent}`;
    element.textContent = full.format(moment);
  }
  const zone = document.getElementById("zone");
  if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

// One box checks all of the page. Shift marks a range.
function checkBoxes() {
  const boxes = [...document.querySelectorAll("input[name=id][type=checkbox]")];
  const all = document.getElementById("check-all");
  if (!all || boxes.length === 0) return;
  all.hidden = false;
  all.addEventListener("change", () => boxes.forEach((box) => { box.checked = all.checked; }));
  let last = null;
  boxes.forEach((box, index) => box.addEventListener("click", (event) => {
    if (event.shiftKey && last !== null) {
      const [from, to] = [Math.min(last, index), Math.max(last, index)];
      boxes.slice(from, to + 1).forEach((other) => { other.checked = box.checked; });
    }
    last = index;
  }));
}

// A strip is one tab stop. Arrow keys go from check to check, and the line below says what is there.
function strips() {
  for (const strip of document.querySelectorAll("[data-strip]")) {
    const bars = [...strip.querySelectorAll("a")];
    const told = document.getElementById(strip.dataset.strip);
    if (told) told.hidden = false;
    const go = (index) => {
      const bar = bars[Math.max(0, Math.min(bars.length - 1, index))];
      bars.forEach((other) => { other.tabIndex = other === bar ? 0 : -1; });
      bar.focus();
    };
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -1e9, End: 1e9 };
    const say = (bar) => { if (told) told.textContent = bar.querySelector(".hidden-text").textContent; };
    bars.forEach((bar, index) => {
      bar.addEventListener("focus", () => say(bar));
      bar.addEventListener("mouseenter", () => say(bar));
      bar.addEventListener("keydown", (event) => {
        if (!(event.key in steps)) return;
        event.preventDefault();
        go(index + steps[event.key]);
      });
    });
  }
}

// What goes on. The server sends parts of the page that changed. A hidden tab and a paused one have no stream.
function live() {
  const source = document.body.dataset.live;
  const button = document.getElementById("live-button");
  let parts = [...document.querySelectorAll("[data-part]")];
  if (!source || !button || parts.length === 0) return;
  let stream = null;
  let paused = sessionStorage.getItem("linkbeat-paused") === "1";

  const replace = (event) => {
    const part = document.querySelector(`[data-part="${CSS.escape(event.lastEventId)}"]`);
    const news = document.createElement("template");
    news.innerHTML = event.data;
    if (!part || news.innerHTML === asSent.get(part)) return;
    asSent.set(part, news.innerHTML);
    // Whoever stands in it by keyboard stays where they are.
    const at = [...part.querySelectorAll("a")].indexOf(document.activeElement);
    part.replaceChildren(news.content);
    localizeTimes(part);
    if (at >= 0) (part.querySelectorAll("a")[at] || part.querySelector("a") || document.getElementById("main")).focus();
    const ended = part.querySelector("[data-ended]");
    if (ended && document.body.dataset.reload === "1") reload();
  };
  const reload = async () => {
    close();
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(page.querySelector("main"));
    document.body.dataset.reload = "0";
    begin();
  };
  const open = () => {
    if (stream || paused || document.hidden) return;
    const names = parts.map((part) => `part=${encodeURIComponent(part.dataset.part)}`).join("&");
    stream = new EventSource(`${source}?${names}`);
    stream.addEventListener("part", replace);
    document.body.classList.add("live-on");
  };
  function close() {
    if (stream) stream.close();
    stream = null;
    document.body.classList.remove("live-on");
  }
  const show = () => {
    const now = document.getElementById("live-button");
    if (!now) return;
    now.hidden = false;
    now.setAttribute("aria-pressed", String(paused));
    now.textContent = paused ? now.dataset.resume : now.dataset.pause;
  };
  const press = () => {
    paused = !paused;
    sessionStorage.setItem("linkbeat-paused", paused ? "1" : "0");
    if (paused) close(); else open();
    show();
  };
  function begin() {
    parts = [...document.querySelectorAll("[data-part]")];
    const now = document.getElementById("live-button");
    if (now) now.addEventListener("click", press);
    everything(document);
    show();
    if (parts.length > 0) open();
  }
  button.addEventListener("click", press);
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  show();
  open();
}

function everything(root) {
  for (const part of root.querySelectorAll("[data-part]")) asSent.set(part, part.innerHTML);
  localizeTimes(root);
  checkBoxes();
  strips();
}

// A form that is sent twice files one run. A page that comes back from memory was sent already, and asks anew.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const id of document.querySelectorAll("input[name=request]")) {
    const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
    id.value = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
});

everything(document);
live();
