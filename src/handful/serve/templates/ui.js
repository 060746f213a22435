"use strict";
{% include "shared.js" %}
const SHOWN = 15, TOGETHER = 3, EVERY = 400;
const STATES = { running: "Training", stopping: "Stopping", stopped: "Stopped", done: "Done", failed: "It did not work" };
const cards = new Map();
let places = { max_mb: Infinity }, shownFolder = "", state = "none", wanted = null, nAsked = 0, latest = 0;

const query = (path, fields) => `${path}?${new URLSearchParams(fields)}`;
const order = (path, fields = {}) => ask(query(path, fields), { method: "POST" });
/* The classes that a request tells of; where a later one was answered before, they are asked for again. */
async function listing(request, number = ++nAsked) {
  const classes = await request;
  if (number < latest) return listing(ask("classes"));
  latest = number;
  return classes;
}
const source = () => document.querySelector("[name=source]:checked").value;
const classesInWords = (number) => `${number} ${number === 1 ? "class" : "classes"}`;
function locked() { find("locked").hidden = false; }
function tell(place, text) {
  place.textContent = text;
  place.hidden = !text;
}

/* classes */
function card(name) {
  const made = { name, pictures: [], whole: false, waiting: 0 };
  const field = make("input", { className: "name", value: name, maxLength: 100, autocomplete: "off", "aria-label": "Name of the class" });
  made.count = make("span", { className: "count" });
  made.thumbs = make("ul", { className: "thumbs" });
  made.empty = make("p", { className: "empty" }, "Drop pictures here.");
  made.more = make("button", { type: "button", className: "quiet more" });
  made.fault = make("p", { className: "failed", role: "alert", hidden: true });
  const choose = make("button", { type: "button" }, "Choose pictures"), camera = make("button", { type: "button" }, "Camera");
  const remove = make("button", { type: "button", className: "quiet" }, "Remove");
  made.label = () => {
    made.element.setAttribute("aria-label", `Class ${made.name}`);
    choose.setAttribute("aria-label", `Choose pictures of ${made.name}`);
    camera.setAttribute("aria-label", `Take pictures of ${made.name} with the camera`);
    remove.setAttribute("aria-label", `Remove class ${made.name}`);
  };
  made.element = make("li", { className: "class" }, make("div", { className: "top" }, field, made.count),
    made.thumbs, made.empty, made.more, make("div", { className: "row" }, choose, camera, remove), made.fault);
  made.label();
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") field.blur(); });
  field.addEventListener("change", async () => {
    const to = field.value.trim();
    try {
      if (to && to !== made.name) {
        const classes = await listing(order("classes/rename", { name: made.name, to }));
        cards.delete(made.name);
        made.name = to;
        cards.set(to, made);
        made.label();
        say(`Renamed to ${to}.`);
        show(classes);
      }
      tell(made.fault, "");
    } catch (error) {
      tell(made.fault, error.message);
    }
    field.value = made.name;
  });
  choose.addEventListener("click", () => { wanted = made; find("files").click(); });
  camera.addEventListener("click", () => {
    let taken = 0;
    wanted = made;
    viewfinder.classList.add("several");
    find("close").textContent = "Close";
    openCamera((files) => { find("close").textContent = `Done (${++taken})`; take(made, files); }, () => find("snap").click());
  });
  remove.addEventListener("click", async () => {
    if (made.pictures.length && !window.confirm(`Delete the class ${made.name} and its ${counted(made.pictures.length, "picture")}?`)) return;
    try {
      show(await listing(order("classes/remove", { name: made.name })));
      say(`Class ${made.name} removed.`);
      find("new-name").focus();
    } catch (error) {
      tell(made.fault, error.message);
    }
  });
  made.more.addEventListener("click", () => { made.whole = !made.whole; fill(made); });
  dropping(made.element, (given) => given.forEach(({ files }) => take(made, files)));
  return made;
}

function fill(made) {
  const { name, pictures } = made, old = new Map([...made.thumbs.children].map((item) => [item.dataset.key, item]));
  const kept = (made.whole ? pictures : pictures.slice(0, SHOWN)).map((picture, index) => {
    const key = `${name}/${picture}`, item = old.get(key) || thumb(made, picture);
    item.dataset.key = key;
    item.firstChild.alt = `Picture ${index + 1} of ${name}`;
    item.lastChild.setAttribute("aria-label", `Remove picture ${index + 1} of ${name}`);
    return item;
  });
  made.thumbs.replaceChildren(...kept);
  made.count.textContent = counted(pictures.length, "picture") + (made.waiting ? `, ${made.waiting} coming` : "");
  made.empty.hidden = pictures.length > 0;
  made.more.hidden = pictures.length <= SHOWN;
  made.more.textContent = made.whole ? "Show fewer" : `Show all ${pictures.length}`;
}

function thumb(made, picture) {
  const button = make("button", { type: "button", title: "Remove" }, "\u00d7");
  button.addEventListener("click", async () => {
    try {
      const next = button.parentElement.nextSibling || button.parentElement.previousSibling;
      show(await listing(order("pictures/remove", { label: made.name, name: picture })));
      say(`Picture removed; ${counted(made.pictures.length, "picture")} left.`);
      (next && next.isConnected ? next.lastChild : made.element.querySelector(".row button")).focus();
    } catch (error) {
      tell(made.fault, error.message);
    }
  });
  return make("li", {}, make("img", { loading: "lazy", src: query("picture", { label: made.name, name: picture }) }), button);
}

function show(classes) {
  const names = new Set(classes.map(({ name }) => name));
  for (const [name, made] of cards) if (!names.has(name)) { made.element.remove(); cards.delete(name); }
  for (const { name, pictures } of classes) {
    if (!cards.has(name)) {
      cards.set(name, card(name));
      find("classes").append(cards.get(name).element);
    }
    const made = cards.get(name);
    made.pictures = pictures;
    fill(made);
  }
  judge();
}

async function refresh() { show(await listing(ask("classes"))); }

async function take(made, files) {
  tell(made.fault, "");
  const queue = [...files], refused = [];
  made.waiting += queue.length;
  fill(made);
  const one = async () => {
    for (let file; (file = queue.shift());) {
      try {
        if (file.size > 1e6 * places.max_mb) throw new Error(`it is larger than ${places.max_mb} MB.`);
        await post(query("pictures", { label: made.name }), file);
      } catch (error) {
        refused.push(`${file.name}: ${error.message}`);
      }
      made.waiting--;
      if (made.waiting % 10 === 0) await refresh().catch(() => {}); else fill(made);
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, one));
  await refresh().catch(() => {});
  if (refused.length) tell(made.fault, refused.slice(0, 3).join(" ") + (refused.length > 3 ? ` And ${refused.length - 3} more.` : ""));
  say(`${made.name}: ${counted(made.pictures.length, "picture")}.`);
}

async function addClass(name) {
  if (!cards.has(name)) show(await listing(order("classes", { name })));
  return cards.get(name);
}

find("new").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = find("new-name"), name = field.value.trim();
  if (!name) return;
  try {
    show(await listing(order("classes", { name })));
    tell(find("new-failed"), "");
    field.value = "";
    say(`Class ${name} added.`);
    cards.get(name).element.querySelector(".row button").focus();
  } catch (error) {
    tell(find("new-failed"), error.message);
  }
});

/* what is dropped */
async function unpack(items) {
  const entries = [...items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  const file = (entry) => new Promise((done, fault) => entry.file(done, fault));
  const inside = async (entry) => {
    const reader = entry.createReader(), found = [];
    for (let part; (part = await new Promise((done, fault) => reader.readEntries(done, fault))).length;) found.push(...part);
    return (await Promise.all(found.filter(({ name }) => !name.startsWith(".")).map((each) => (each.isFile ? file(each).then((one) => [one]) : inside(each))))).flat();
  };
  return Promise.all(entries.map(async (entry) => (entry.isFile ? { name: "", files: [await file(entry)] } : { name: entry.name, files: await inside(entry) })));
}

function dropping(element, taken) {
  let within = 0;
  const over = (change) => { within = Math.max(0, within + change); element.classList.toggle("over", within > 0); };
  element.addEventListener("dragenter", () => over(1));
  element.addEventListener("dragleave", () => over(-1));
  element.addEventListener("drop", async (event) => {
    event.preventDefault();
    over(-within);
    const loose = [...event.dataTransfer.files], given = await unpack(event.dataTransfer.items);
    taken(given.length ? given : [{ name: "", files: loose }]);
  });
}
dropping(find("new"), async (given) => {
  try {
    const folders = given.filter(({ name }) => name);
    for (const { name, files } of folders) take(await addClass(name), files);
    tell(find("new-failed"), folders.length < given.length ? "Those are pictures, not folders: add a class, and drop them on it." : "");
  } catch (error) {
    tell(find("new-failed"), error.message);
  }
});
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
for (const id of ["files", "snap"]) find(id).addEventListener("change", (event) => { take(wanted, [...event.target.files]); event.target.value = ""; });

/* a folder of this machine */
async function open(path) {
  let found;
  try {
    found = await ask(query("folders", { path }));
    tell(find("look-failed"), "");
  } catch (error) {
    tell(find("look-failed"), error.message);
    return;
  }
  shownFolder = found.path;
  storage.setItem("folder", found.path);
  find("path").value = found.path;
  const filled = found.folders.filter(({ n_pictures }) => n_pictures);
  const words = filled.length ? `${filled.length === 1 ? "1 folder" : `${filled.length} folders`} with pictures in it` : "no folder with pictures directly in it; a folder further down may have them";
  const loose = found.n_pictures ? ` Its own ${counted(found.n_pictures, "picture")} belong to no class.` : "";
  find("here").replaceChildren(make("b", {}, "Trains on "), make("code", {}, found.path), `: ${words}.${loose}`);
  const item = (text, small, target, kind) => {
    const button = make("button", { type: "button", className: kind }, make("span", {}, text), make("small", {}, small));
    button.addEventListener("click", async () => { await open(target); (find("folders").querySelector("button") || find("path")).focus(); });
    return make("li", {}, button);
  };
  find("folders").replaceChildren(
    ...(found.above ? [item("\u2191 The folder above", "", found.above, "")] : []),
    ...found.folders.map((each) => item(each.name, each.n_pictures ? counted(each.n_pictures, "picture") : "", each.path, each.n_pictures ? "filled" : "")));
  judge();
}
find("look").addEventListener("submit", (event) => { event.preventDefault(); open(find("path").value.trim()); });
function change() {
  const isFolder = source() === "folder";
  storage.setItem("source", source());
  find("by-class").hidden = isFolder;
  find("by-folder").hidden = !isFolder;
  if (isFolder && !shownFolder) open(storage.getItem("folder") || "");
  judge();
}
for (const radio of document.querySelectorAll("[name=source]")) radio.addEventListener("change", change);

/* training */
function judge() {
  const filled = [...cards.values()].filter(({ pictures }) => pictures.length).length, busy = state === "running" || state === "stopping";
  const short = source() === "classes" && filled < 2;
  find("train").disabled = busy || short || (source() === "folder" && !shownFolder);
  find("train").hidden = busy;
  find("stop").hidden = !busy;
  find("stop").disabled = state === "stopping";
  document.querySelector(".efforts").disabled = busy;
  find("why").textContent = busy ? "" : short ? `It needs pictures of two classes at least; ${filled === 1 ? "one class has some" : "none has any"} so far.`
    : source() === "classes" ? `${classesInWords(filled)}, ${counted([...cards.values()].reduce((sum, { pictures }) => sum + pictures.length, 0), "picture")}` : "";
}

const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function progress(facts) {
  const before = state;
  state = facts.state;
  find("work").hidden = state === "none";
  if (state === "none") { judge(); return; }
  find("state").textContent = STATES[state];
  find("clock").textContent = minutes(facts.seconds);
  const rows = find("bars");
  facts.bars.forEach((bar, index) => {
    const share = !bar.open ? 1 : bar.total ? Math.min(1, bar.done / bar.total) : 0, total = bar.total.toLocaleString("en");
    if (!rows.children[index]) {
      rows.append(make("li", {}, make("span", { className: "name" }), make("span", { className: "track", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, make("i", { className: "fill" })),
        make("span", { className: "value" }), make("p", { className: "note", hidden: true })));
    }
    const [name, track, value, note] = rows.children[index].children;
    if (name.textContent !== bar.label && bar.open) say(bar.label);
    rows.children[index].classList.toggle("open", bar.open);
    name.textContent = bar.label;
    track.setAttribute("aria-label", bar.label);
    track.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    track.firstChild.style.width = `${100 * share}%`;
    value.textContent = bar.open ? `${bar.done.toLocaleString("en")} of ${total}` : total;
    note.textContent = bar.note;
    note.hidden = !bar.note || !bar.open;
  });
  while (rows.children.length > facts.bars.length) rows.lastChild.remove();
  find("remarks").replaceChildren(...facts.remarks.map((text) => make("li", {}, text)));
  tell(find("failed"), state === "failed" ? facts.told : "");
  find("outcome").hidden = state !== "done";
  if (state === "done") {
    const [, main, rest] = facts.told.match(/^(.*?)(?: \((.*)\))?$/);
    find("sentence").replaceChildren(main, ...(rest ? [make("small", {}, rest)] : []));
    find("run").textContent = facts.run;
  }
  judge();
  if (before !== state && before !== "none") {
    say(state === "done" ? `Done: ${facts.told}` : STATES[state]);
    if (state === "done") find("result").focus();
    else if (state === "stopped" || state === "failed") find("train").focus();
  }
}

async function watch() {
  for (let failures = 0; state === "running" || state === "stopping";) {
    await new Promise((done) => setTimeout(done, EVERY));
    try {
      progress(await ask("training"));
      failures = 0;
    } catch (error) {
      if (++failures === 5) { tell(find("failed"), error.message); return; }
    }
  }
}

find("train").addEventListener("click", async () => {
  const effort = document.querySelector("[name=effort]:checked").value;
  find("train").disabled = true;
  find("bars").replaceChildren();
  try {
    progress(await order("train", { effort, folder: source() === "folder" ? shownFolder : "" }));
    find("stop").focus();
    watch();
  } catch (error) {
    tell(find("failed"), error.message);
    judge();
  }
});
find("stop").addEventListener("click", async () => {
  try {
    progress(await order("stop"));
  } catch (error) {
    tell(find("failed"), error.message);
  }
});

async function begin() {
  try {
    places = await ask("places");
    find("kept-in").replaceChildren("Pictures are kept in ", make("code", {}, places.photos), ", a folder for each class.");
    await refresh();
    if (storage.getItem("source") === "folder") { document.querySelector("[value=folder]").checked = true; change(); }
    progress(await ask("training"));
    watch();
  } catch (error) {
    if (error.status !== 401) tell(find("failed"), error.message);
  }
}
begin();
