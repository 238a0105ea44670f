"use strict";
const at = (id) => document.getElementById(id);
const TABS = ["judge", "make", "report"];
const SIDE_BY_SIDE = 4; // images that are sent at a time
const RATES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5];
const CAPTIONS = { image: "image", heat_map: "unlike the known: red and yellow", nearest: "nearest known image" };
const percent = (share) => `${+(100 * share).toPrecision(2)} %`;
const facts = () => JSON.parse(at("model").selectedOptions[0].dataset.facts);
const waiting = [];
let sending = 0;

function choose(name) {
  for (const one of TABS) {
    const tab = at(`tab-${one}`);
    tab.setAttribute("aria-selected", one === name);
    tab.tabIndex = one === name ? 0 : -1;
    at(one).hidden = one !== name;
  }
  if (name === "report") {
    const address = `/report?model=${encodeURIComponent(at("model").value)}`;
    if (at("report-frame").getAttribute("src") !== address) at("report-frame").src = address;
  }
}

function begin() {
  const one = facts();
  at("can-judge").hidden = !one.judges;
  at("cannot-judge").hidden = one.judges;
  at("maker").hidden = !one.makes.length;
  at("cannot-make").hidden = one.makes.length > 0;
  at("results").replaceChildren();
  at("made").replaceChildren();
  at("counts").textContent = "";
  options(at("class"), one.makes);
  options(at("to"), one.makes, "no other class");
  at("to").parentElement.hidden = one.makes.length < 2;
  if (one.judges) {
    const able = RATES.filter((rate) => rate >= one.least);
    const rates = [...new Set([...able, one.false_alarms])].sort((a, b) => a - b);
    at("rate").max = rates.length - 1;
    at("rate").value = rates.indexOf(one.false_alarms);
    at("rate").dataset.rates = JSON.stringify(rates);
    at("rate-note").textContent =
      `Of new known images about this share is flagged. The run chose ${percent(one.false_alarms)}.`;
    judged();
  }
  if (!at("report").hidden) choose("report");
}

function options(select, names, none) {
  select.replaceChildren();
  if (none) select.add(new Option(none, ""));
  for (const name of names) select.add(new Option(name, name));
}

function rate() {
  return JSON.parse(at("rate").dataset.rates)[at("rate").value];
}

function judged() {
  at("rate-said").textContent = percent(rate());
  at("rate").setAttribute("aria-valuetext", percent(rate()));
  let flagged = 0;
  const all = document.querySelectorAll("article[data-p]");
  for (const article of all) {
    const is = Number(article.dataset.p) <= rate() + 1e-9;
    flagged += is;
    article.className = is ? "flagged" : "known";
    article.querySelector(".verdict").textContent = is ? "Flagged" : `Looks like ${article.dataset.closest}`;
  }
  const images = all.length === 1 ? "1 image" : `${all.length} images`;
  const left = waiting.length + sending;
  if (all.length) at("counts").textContent = `${images}, ${flagged} flagged.` + (left ? ` ${left} to go.` : "");
}

function take(files) {
  for (const file of files) {
    const article = at("result").content.firstElementChild.cloneNode(true);
    article.querySelector("h2").textContent = file.name;
    article.querySelector(".verdict").textContent = "waiting";
    at("results").append(article);
    waiting.push([file, article]);
  }
  next();
}

async function next() {
  while (waiting.length && sending < SIDE_BY_SIDE) {
    const [file, article] = waiting.shift();
    sending += 1;
    send(file, article).catch((error) => fail(article, String(error.message || error))).finally(() => {
      sending -= 1;
      judged();
      next();
    });
  }
}

async function send(file, article) {
  const address = `/score?model=${encodeURIComponent(at("model").value)}`;
  for (;;) {
    const answer = await fetch(address, { method: "POST", body: file });
    if (answer.status === 429) {
      await new Promise((done) => setTimeout(done, 1000 * Number(answer.headers.get("retry-after") || 1)));
      continue;
    }
    const said = await answer.json();
    if (answer.ok) show(article, said);
    else fail(article, said.error);
    return;
  }
}

function fail(article, words) {
  article.querySelector(".verdict").textContent = "not judged";
  article.querySelector(".words").textContent = words;
}

function show(article, said) {
  const views = Object.entries(said.pictures).map(([name, url]) => figure(url, CAPTIONS[name]));
  article.querySelector(".views").replaceChildren(...views);
  article.dataset.p = said.p_value;
  article.dataset.closest = said.closest;
  article.querySelector(".words").textContent =
    `${percent(said.p_value)} of known images score as high.` +
    (said.confidence === null ? "" : ` Among the known classes ${said.closest} has ${percent(said.confidence)}.`);
  article.querySelector(".numbers").textContent = `score ${said.score.toPrecision(4)}, p-value ${said.p_value.toPrecision(3)}`;
  judged();
}

function figure(url, caption) {
  const whole = document.createElement("figure");
  const image = document.createElement("img");
  image.alt = caption;
  image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth < 128));
  image.src = url;
  const below = document.createElement("figcaption");
  below.textContent = caption;
  whole.append(image, below);
  return whole;
}

async function made(form) {
  const to = at("to").value;
  const asked = { model: at("model").value, class: at("class").value, seed: Number(at("seed").value), n: Number(at("number").value), form };
  if (to && form === "json") asked.to = to;
  at("made-said").textContent = "making images";
  const answer = await fetch("/generate", { method: "POST", body: JSON.stringify(asked) });
  if (!answer.ok) {
    at("made-said").textContent = (await answer.json()).error;
    return;
  }
  at("made-said").textContent = "";
  if (form === "zip") {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = `${asked.class}-seed-${asked.seed}.zip`;
    link.click();
    URL.revokeObjectURL(link.href);
    return;
  }
  const images = (await answer.json()).images;
  at("made").classList.toggle("way", Boolean(asked.to));
  at("made").replaceChildren(...images.map((url, i) => {
    const image = document.createElement("img");
    image.alt = asked.to ? `from ${asked.class} to ${to}` : `${asked.class}, image ${i}`;
    image.className = "small";
    image.src = url;
    return image;
  }));
  at("made-said").textContent = asked.to ? `the way from ${asked.class} to ${to}` : `${images.length} images of ${asked.class}`;
}

for (const name of TABS) {
  at(`tab-${name}`).addEventListener("click", () => choose(name));
  at(`tab-${name}`).addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const other = TABS[(TABS.indexOf(name) + step + TABS.length) % TABS.length];
    choose(other);
    at(`tab-${other}`).focus();
  });
}
at("model").addEventListener("change", begin);
at("rate").addEventListener("input", judged);
at("files").addEventListener("change", () => {
  take(at("files").files);
  at("files").value = "";
});
for (const kind of ["dragenter", "dragover"])
  at("drop").addEventListener(kind, (event) => { event.preventDefault(); at("drop").classList.add("over"); });
for (const kind of ["dragleave", "drop"])
  at("drop").addEventListener(kind, () => at("drop").classList.remove("over"));
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  if (facts().judges && event.dataTransfer) take(event.dataTransfer.files);
});
at("maker").addEventListener("submit", (event) => { event.preventDefault(); made("json"); });
at("download").addEventListener("click", () => made("zip"));
begin();
