// The console's one script: live fragments, light and dark, keys, and the cords of the map. Every page is whole without it.
"use strict";

const root = document.documentElement;
root.classList.add("js");

// --- live fragments: an object from element ids to HTML, made by our own server --------------------------------------------------

const live = document.getElementById("live");

function say(state, words) {
  live.className = `live ${state}`;
  const label = live.querySelector("span");
  if (label.textContent !== words) label.textContent = words;
}

function patch(fragments) {
  for (const [id, html] of Object.entries(fragments)) {
    const element = document.getElementById(id);
    if (!element) continue;
    if (id === "parked-count") {
      element.textContent = html;
      element.hidden = html === "0";
      continue;
    }
    // Somebody who types in a form, or has opened it, is not interrupted.
    if (element.querySelector("details[open], input:focus, textarea:focus")) continue;
    const path = pathTo(document.activeElement, element);
    const scrolls = [...element.querySelectorAll(".scroll")].map((it) => it.scrollLeft);
    element.innerHTML = html;
    element.querySelectorAll(".scroll").forEach((it, at) => { it.scrollLeft = scrolls[at] || 0; });
    focusAt(path, element);
  }
  trace();
}

// Where the focus is inside of an element, so that it can be found again in what replaces it.
function pathTo(node, top) {
  if (!node || node === top || !top.contains(node)) return null;
  if (node.getAttribute("href")) return { href: node.getAttribute("href") };
  const path = [];
  for (let at = node; at !== top; at = at.parentElement) path.unshift([...at.parentElement.children].indexOf(at));
  return { path };
}

function focusAt(place, top) {
  if (!place) return;
  const found = place.href
    ? [...top.querySelectorAll("a[href]")].find((link) => link.getAttribute("href") === place.href)
    : place.path.reduce((at, child) => at && at.children[child], top);
  if (found) found.focus({ preventScroll: true });
}

if (live && live.dataset.live) {
  live.hidden = false;
  let source = null;
  const open = () => {
    source = new EventSource(live.dataset.live);
    source.addEventListener("open", () => say("on", "live"));
    source.addEventListener("patch", (event) => patch(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      say("off", "connecting again");
      // The browser gives up on an answer that is not 200; somebody may be starting the shop again.
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 3000);
    });
  };
  open();
  // A page in the background costs the shop nothing.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && source) { source.close(); source = null; }
    else if (!document.hidden && !source) open();
  });
}

// --- light and dark -----------------------------------------------------------------------------------------------------------

function choose(theme) {
  root.dataset.theme = theme;
  document.cookie = `switchboard-theme=${theme}; Path=/console; SameSite=Strict; Max-Age=31536000`;
  for (const button of document.querySelectorAll("#theme button")) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
}

const themes = document.getElementById("theme");
if (themes) {
  themes.addEventListener("submit", (event) => {
    event.preventDefault();
    choose(event.submitter.value);
  });
}

// --- keys -----------------------------------------------------------------------------------------------------------------------

const pages = { o: "/console", d: "/console/orders", p: "/console/parked", e: "/console/policies" };
let waitsForPage = 0;

function help() {
  let dialog = document.querySelector("dialog");
  if (!dialog) {
    const keys = document.querySelector(".keys");
    if (!keys) return;
    dialog = document.createElement("dialog");
    dialog.setAttribute("aria-label", "Keyboard");
    const title = document.createElement("h2");
    title.textContent = "Keyboard";
    const form = document.createElement("form");
    form.method = "dialog";
    const close = document.createElement("button");
    close.className = "primary";
    close.textContent = "Close";
    form.append(close);
    dialog.append(title, keys.cloneNode(true), form);
    document.body.append(dialog);
  }
  dialog.showModal();
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest && event.target.closest("input, textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (waitsForPage > Date.now() && pages[event.key]) {
    event.preventDefault();
    location.assign(pages[event.key]);
    return;
  }
  waitsForPage = event.key === "g" ? Date.now() + 1500 : 0;
  const find = document.getElementById("find");
  if (event.key === "/" && find) { event.preventDefault(); find.focus(); }
  if (event.key === "t" && themes) {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.dataset.theme === "auto" ? (dark ? "dark" : "light") : root.dataset.theme;
    choose(now === "dark" ? "light" : "dark");
  }
  if (event.key === "?") help();
});

// --- the cords of the map -------------------------------------------------------------------------------------------------------

let traced = null;

function trace() {
  const map = document.querySelector("svg.map");
  if (!map) return;
  document.body.classList.toggle("tracing", Boolean(traced));
  for (const lit of map.querySelectorAll(".lit")) lit.classList.remove("lit");
  if (!traced) return;
  const ends = new Set([traced]);
  for (const cord of map.querySelectorAll(".cord")) {
    const { from, to } = cord.dataset;
    if (from !== traced && to !== traced) continue;
    cord.classList.add("lit");
    ends.add(from).add(to);
  }
  for (const spot of map.querySelectorAll("[data-spot]")) spot.classList.toggle("lit", ends.has(spot.dataset.spot));
}

const map = document.getElementById("map");
if (map) {
  map.addEventListener("pointerover", (event) => {
    const spot = event.target.closest("[data-spot]");
    const name = spot ? spot.dataset.spot : null;
    if (name !== traced) { traced = name; trace(); }
  });
  map.addEventListener("pointerleave", () => { traced = null; trace(); });
}
