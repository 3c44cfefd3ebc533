// The page. Text from the server goes in as text only, never as markup.
import { chart } from "/chart.js";

const $ = (id) => document.getElementById(id);
const rows = new Map(); // slug -> what is shown of a link
let csrf = "";
let stream = null;

class Problem extends Error {
  constructor(status, body) {
    const first = body.errors?.[0];
    super(first ? `${first.where.replace(/^body\./, "")}: ${first.why}` : body.detail || body.title || `The server answered ${status}.`);
    this.status = status;
  }
}

async function call(method, path, sent) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (sent) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: sent && JSON.stringify(sent) });
  } catch {
    throw new Error("The server cannot be reached.");
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, body);
  return body;
}

function say(text) { $("message").textContent = text; }

async function attempt(action, button) {
  if (button) button.disabled = true;
  say("");
  try {
    const text = await action();
    if (text) say(text);
  } catch (error) {
    if (error.status === 401 && !$("inside").hidden) show(null);
    say(error.message);
  } finally {
    if (button) button.disabled = false;
  }
}

// Logging in and out

function show(session) {
  csrf = session?.csrf ?? "";
  $("enter").hidden = Boolean(session);
  $("inside").hidden = $("account").hidden = !session;
  $("name").textContent = session?.name ?? "";
  stream?.close();
  rows.clear();
  $("links").replaceChildren();
  if (!session) {
    $("enter").elements.name.focus();
    return;
  }
  listen();
  $("create").elements.url.focus();
}

$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const button = event.submitter ?? event.target.querySelector("button");
  attempt(async () => {
    const session = await call("POST", button.value, Object.fromEntries(new FormData(event.target)));
    event.target.reset();
    show(session);
    await load();
  }, button);
});

$("leave").addEventListener("click", (event) => attempt(async () => {
  await call("DELETE", "/api/session");
  show(null);
}, event.target));

// The list

function row(link) {
  const li = $("row").content.cloneNode(true).firstElementChild;
  const find = (name) => li.querySelector(name);
  const address = `${location.origin}/l/${link.slug}`;
  Object.assign(find(".short"), { href: address, textContent: address.replace(/^https?:\/\//, "") });
  Object.assign(find(".long"), { href: link.url, textContent: link.url, rel: "noreferrer" });
  const one = { li, count: link.clicks, number: find(".count strong"), figure: find("figure"), slug: link.slug };
  one.number.textContent = one.count;
  for (const [name, what] of [["copy", "Copy"], ["chart", "Chart of"], ["delete", "Delete"]])
    find(`.${name}`).setAttribute("aria-label", `${what} ${link.slug}`);
  find(".copy").addEventListener("click", (event) => attempt(async () => {
    await navigator.clipboard.writeText(address);
    return `${address} is in the clipboard.`;
  }, event.target));
  find(".chart").addEventListener("click", (event) => {
    const open = event.target.getAttribute("aria-expanded") !== "true";
    event.target.setAttribute("aria-expanded", open);
    one.figure.hidden = !open;
    if (open) attempt(() => draw(one));
  });
  find(".delete").addEventListener("click", (event) => attempt(async () => {
    if (!confirm(`Delete ${link.slug} and its clicks?`)) return "";
    await call("DELETE", `/api/links/${link.slug}`);
    rows.delete(link.slug);
    li.remove();
    $("none").hidden = rows.size > 0;
    return `${link.slug} is deleted.`;
  }, event.target));
  rows.set(link.slug, one);
  return li;
}

async function draw(one) {
  const found = await call("GET", `/api/links/${one.slug}/statistics`);
  set(one, found.clicks);
  one.figure.replaceChildren(...chart(found.days));
}

async function load(cursor) {
  const page = await call("GET", "/api/links" + (cursor ? `?cursor=${cursor}` : ""));
  for (const link of page.links) {
    const known = rows.get(link.slug);
    if (known) set(known, link.clicks);
    else $("links").append(row(link));
  }
  $("none").hidden = rows.size > 0;
  if (cursor || !$("more").dataset.cursor) {
    $("more").hidden = !page.next;
    $("more").dataset.cursor = page.next ?? "";
  }
}

$("more").addEventListener("click", (event) => attempt(() => load(event.target.dataset.cursor), event.target));

$("create").addEventListener("submit", (event) => {
  event.preventDefault();
  const { url, slug } = Object.fromEntries(new FormData(event.target));
  attempt(async () => {
    const link = await call("POST", "/api/links", slug ? { url, slug } : { url });
    $("links").prepend(row(link));
    $("none").hidden = true;
    event.target.reset();
    return `${location.origin}/l/${link.slug}`;
  }, event.submitter);
});

// Live counts

function set(one, count) {
  if (count === one.count) return;
  one.count = count;
  one.number.textContent = count;
  one.number.classList.remove("moved");
  requestAnimationFrame(() => one.number.classList.add("moved"));
}

function listen() {
  stream = new EventSource("/api/events");
  stream.addEventListener("clicks", (event) => {
    for (const [slug, clicks] of Object.entries(JSON.parse(event.data))) {
      const one = rows.get(slug);
      if (!one) continue;
      set(one, clicks);
      if (!one.figure.hidden) draw(one).catch(() => {});
    }
  });
  // What happened while nobody listened is asked for once.
  let opened = false;
  stream.addEventListener("open", () => {
    if (opened) load().catch(() => {});
    opened = true;
  });
  stream.addEventListener("reset", () => load().catch(() => {}));
}

try {
  show(await call("GET", "/api/session"));
  await load();
} catch (error) {
  show(null);
  if (error.status !== 401) say(error.message);
}
