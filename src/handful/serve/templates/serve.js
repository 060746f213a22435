"use strict";
{% include "shared.js" %}
const MOST_BARS = 5, AT_ONCE = 4;
let model = null, running = 0;
const waiting = [];

function locked() { find("token").hidden = false; find("secret").focus(); }

async function meet() {
  try {
    model = await ask("model");
  } catch (error) {
    if (error.status !== 401) find("verdict").textContent = error.message;
    return;
  }
  find("token").hidden = true;
  find("eyebrow").replaceChildren(make("b", {}, model.model), ` \u00b7 ${counted(model.classes.length, "class").replace("classs", "classes")}`);
  if (model.accuracy === null) return;
  const ends = model.interval.map((end) => (100 * end).toFixed(1));
  find("verdict").replaceChildren(
    "Show the model a picture, and it names the class. It was right for ", make("b", {}, percent(model.accuracy)),
    ` of ${counted(model.n_test, "test picture")} (95\u00a0% interval ${ends[0]} to ${ends[1]}\u00a0%).`,
  );
}

function take(files) {
  for (const file of files) {
    const item = card(file);
    find("answers").prepend(item.element);
    waiting.push(item);
  }
  work();
}

function work() {
  while (running < AT_ONCE && waiting.length) {
    running++;
    answer(waiting.shift()).finally(() => { running--; work(); });
  }
}

function card(file) {
  const name = file.name || "picture", url = URL.createObjectURL(file);
  const image = make("img", { src: url, alt: name });
  const frame = make("div", { className: "frame" }, image);
  image.addEventListener("error", () => frame.replaceChildren("This browser cannot show it."), { once: true });
  const under = make("div", { className: "row" }, make("p", { className: "path" }, name));
  const facts = make("div", {}, make("p", { className: "wait" }, "Looking \u2026"));
  const element = make("li", {}, make("div", { className: "shown" }, frame, under), facts);
  return { file, name, url, image, frame, under, facts, element };
}

async function answer(item) {
  try {
    if (model && item.file.size > 1e6 * model.max_mb) throw new Error(`${item.name} is larger than ${model.max_mb} MB. Choose a smaller picture.`);
    const found = await post("predict", item.file);
    show(item, found);
    say(`${item.name}: ${found.label}, ${percent(found.confidence)}${found.unsure ? ", unsure" : ""}${found.unlike ? ", unlike the training pictures" : ""}.`);
  } catch (error) {
    item.facts.replaceChildren(make("p", { className: "failed" }, error.message));
    say(`${item.name}: ${error.message}`);
    return;
  }
  try {
    explain(item, await post("explain", item.file));
  } catch {
    item.reasons.remove();
  }
}

function show(item, found) {
  const ranked = Object.entries(found.probabilities).sort((one, other) => other[1] - one[1]);
  const others = found.named.filter((name) => name !== found.label);
  const remarks = make("ul", { className: "remarks" });
  if (found.unlike) remarks.append(remark("Unlike the training pictures.", " It may show something that the model never learnt; its answer means little."));
  if (found.unsure) remarks.append(remark("Unsure.", " At this confidence more answers are wrong than was asked for; better look yourself."));
  const sub = others.length ? `Could also be ${others.join(", ")}.` : found.named.length ? "No other class comes into question." : "";
  const bars = make("ul", { className: "bars", "aria-label": "Probability of each class" });
  ranked.slice(0, MOST_BARS).forEach(([name, share], rank) => {
    const fill = make("i", { className: "fill" });
    fill.style.width = `${100 * share}%`;
    bars.append(make("li", rank ? {} : { className: "top" }, make("span", { className: "name" }, name),
      make("span", { className: "track", "aria-hidden": "true" }, fill), make("span", { className: "value" }, percent(share))));
  });
  const more = ranked.length - MOST_BARS;
  item.reasons = make("div");
  item.facts.replaceChildren(
    make("p", { className: "said" }, found.label, " ", make("span", {}, percent(found.confidence))),
    make("p", { className: "sub" }, sub), ...(remarks.children.length ? [remarks] : []), bars,
    ...(more > 0 ? [make("p", { className: "hint" }, `and ${more} more, each less probable`)] : []),
    item.reasons, correction(item, found, ranked.map(([name]) => name)),
  );
}

const remark = (strong, rest) => make("li", { className: "warning" }, make("b", {}, strong), rest);

function explain(item, reasons) {
  if (reasons.heat) {
    const map = make("img", { src: reasons.heat, alt: `Where the model looked in ${item.name}` });
    const legend = make("p", { className: "heat", hidden: true }, "little", make("i"), "much for the answer");
    const button = make("button", { type: "button", className: "quiet", "aria-pressed": "false" }, "Where it looked");
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") === "false";
      button.setAttribute("aria-pressed", String(on));
      button.textContent = on ? "The picture" : "Where it looked";
      legend.hidden = !on;
      item.frame.replaceChildren(on ? map : item.image);
    });
    item.under.append(button);
    item.under.after(legend);
  }
  if (!reasons.alike.length) { item.reasons.replaceChildren(make("p", { className: "hint after" }, reasons.alike_note)); return; }
  item.reasons.replaceChildren(
    make("h3", {}, "Most like it among the training pictures"),
    make("ul", { className: "alike" }, ...reasons.alike.map((each) => make("li", {},
      make("div", { className: "frame" }, each.picture ? make("img", { src: each.picture, alt: `A training picture of ${each.label}` }) : "moved or changed"),
      make("p", {}, make("b", {}, each.label), `${percent(each.likeness)} alike`)))),
  );
}

function correction(item, found, ranked) {
  const id = `right-${Math.random().toString(36).slice(2)}`;
  const choice = make("select", { id }, make("option", { value: "" }, "Choose the right class"),
    ...ranked.filter((name) => name !== found.label).map((name) => make("option", { value: name }, name)));
  const button = make("button", { type: "submit", disabled: true }, "Keep the correction");
  const kept = make("p", { className: "kept", role: "status" });
  const form = make("form", { className: "right" }, make("div", { className: "row" },
    make("label", { htmlFor: id }, "Wrong?"), choice, button), kept);
  choice.addEventListener("change", () => { button.disabled = !choice.value; });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const saved = await post(`corrections?label=${encodeURIComponent(choice.value)}`, item.file);
      kept.className = "kept";
      kept.replaceChildren("Kept as ", make("b", {}, saved.label), `, ${counted(saved.corrections, "correction")} so far. `,
        
{% if in_studio %}
        "The next training learns from them.");
{% else %}
        "To learn from them: ", make("code", {}, `handful train PHOTOS/ --add ${model ? model.corrections_folder : "corrections"}/`));
{% endif %}
      if (![...choice.options].some((option) => option.value === found.label)) choice.append(make("option", { value: found.label }, found.label));
    } catch (error) {
      kept.className = "kept failed";
      kept.textContent = error.message;
      button.disabled = false;
    }
  });
  return form;
}

find("camera").addEventListener("click", () => openCamera(take, () => find("snap").click()));
find("choose").addEventListener("click", () => find("files").click());
for (const id of ["files", "snap"]) find(id).addEventListener("change", (event) => { take(event.target.files); event.target.value = ""; });
let inside = 0;
const over = (on) => find("drop").classList.toggle("over", on);
document.addEventListener("dragenter", () => { inside++; over(true); });
document.addEventListener("dragleave", () => { inside = Math.max(0, inside - 1); over(inside > 0); });
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => { event.preventDefault(); inside = 0; over(false); take(event.dataTransfer.files); });
document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) take(event.clipboardData.files); });
find("token").addEventListener("submit", async (event) => {
  event.preventDefault();
  storage.setItem("token", find("secret").value);
  await meet();
  find("denied").hidden = find("token").hidden;
});
meet();
