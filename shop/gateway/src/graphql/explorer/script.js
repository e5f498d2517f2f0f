// The explorer's one script: asks, shows what came back, and lets the schema be read. Nothing is ever put in as HTML.
"use strict";

const at = (id) => document.getElementById(id);
const [query, variables, headers, token, result, facts, run] =
  ["query", "variables", "headers", "token", "result", "facts", "run"].map(at);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// --- what is remembered: the text for this tab only, the token too -------------------------------------------------------------

const EXAMPLES = {
  "A user with posts and comments": [
    `query GetUserWithPosts($userId: ID!) {
  user(id: $userId) {
    id
    name
    email
    posts {
      id
      title
      createdAt
      comments {
        id
        content
        author { name }
      }
    }
  }
}`, { userId: "" }],
  "Products and what is in stock": [
    `{
  products(first: 20) {
    nodes { sku name price { amount currency } stock { available } }
    pageInfo { hasNextPage endCursor }
  }
}`, {}],
  "Sign up": [
    `mutation SignUp($input: SignUpInput!) {
  signUp(input: $input) { id name email }
}`, { input: { name: "Ann", email: "ann@example.org", password: "correct horse" } }],
  "Sign in": [
    `mutation SignIn($email: String!, $password: String!) {
  signIn(email: $email, password: $password) { token expiresIn userId }
}`, { email: "ann@example.org", password: "correct horse" }],
  "My orders and accounts": [
    `{
  me { id name }
  orders(first: 10) {
    nodes {
      id
      status
      total { amount currency }
      items { quantity product { name } }
      history { status at reason }
      shipment { trackingNumber carrier }
      account { balance { amount currency } }
    }
  }
  accounts(first: 10) { nodes { id balance { amount currency } } }
}`, {}],
  "Follow an order": [
    `subscription Follow($id: ID!) {
  orderStatus(id: $id) { status trackingNumber history { status at reason } }
}`, { id: "" }],
};

const kept = (name, fallback) => sessionStorage.getItem(`graphql-${name}`) ?? fallback;
const keep = (name, value) => sessionStorage.setItem(`graphql-${name}`, value);

const address = new URLSearchParams(location.search);
const [firstText] = EXAMPLES["Products and what is in stock"];
query.value = address.get("query") ?? kept("query", firstText);
variables.value = address.get("variables") ?? kept("variables", "");
headers.value = kept("headers", "");
token.value = kept("token", "");
for (const field of [query, variables, headers, token]) {
  field.addEventListener("input", () => keep(field.id, field.value));
}

const examples = at("examples");
for (const name of Object.keys(EXAMPLES)) examples.append(make("option", { value: name }, name));
examples.addEventListener("change", () => {
  const example = EXAMPLES[examples.value];
  if (!example) return;
  query.value = example[0];
  variables.value = Object.keys(example[1]).length ? JSON.stringify(example[1], null, 2) : "";
  keep("query", query.value);
  keep("variables", variables.value);
  examples.value = "";
  query.focus();
});

// --- editing -------------------------------------------------------------------------------------------------------------------

let leaving = false;
for (const field of [query, variables]) {
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { leaving = true; return; }
    if (event.key === "Tab" && !leaving && !event.shiftKey) {
      event.preventDefault();
      field.setRangeText("  ", field.selectionStart, field.selectionEnd, "end");
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      const before = field.value.slice(0, field.selectionStart);
      const line = before.slice(before.lastIndexOf("\n") + 1);
      const indent = line.match(/^ */)[0] + (/[{([]\s*$/.test(line) ? "  " : "");
      event.preventDefault();
      field.setRangeText(`\n${indent}`, field.selectionStart, field.selectionEnd, "end");
    }
    leaving = false;
    keep(field.id, field.value);
  });
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); ask(); }
});

// --- asking --------------------------------------------------------------------------------------------------------------------

let running = null;
run.addEventListener("click", () => (running ? running.abort() : ask()));

function say(text, state = "") {
  facts.textContent = text;
  facts.className = `facts ${state}`;
}

function own() {
  const all = { "content-type": "application/json" };
  for (const line of headers.value.split("\n")) {
    const [, name, value] = line.match(/^\s*([^:\s]+)\s*:\s*(.*)$/) ?? [];
    if (name) all[name.toLowerCase()] = value.trim();
  }
  if (token.value.trim()) all.authorization = `Bearer ${token.value.trim()}`;
  return all;
}

// The operation at the cursor, when a document has several.
function chosen() {
  const bare = query.value.replace(/#[^\n]*/g, (it) => " ".repeat(it.length));
  const all = [...bare.matchAll(/\b(query|mutation|subscription)\b\s*([_A-Za-z][_0-9A-Za-z]*)?/g)]
    .filter((it) => depth(bare, it.index) === 0);
  const before = all.filter((it) => it.index <= query.selectionStart);
  const one = before.at(-1) ?? all[0];
  return { kind: one?.[1] ?? "query", name: all.length > 1 ? one?.[2] : undefined };
}

function depth(text, end) {
  let open = 0;
  for (let index = 0; index < end; index += 1) {
    if (text[index] === "{") open += 1;
    if (text[index] === "}") open -= 1;
  }
  return open;
}

async function ask() {
  if (running) return;
  let values = {};
  try {
    values = variables.value.trim() ? JSON.parse(variables.value) : {};
  } catch (error) {
    say(`The variables are not JSON: ${error.message}`, "bad");
    variables.focus();
    return;
  }
  const { kind, name } = chosen();
  const body = JSON.stringify({ query: query.value, variables: values, operationName: name });
  running = new AbortController();
  run.textContent = "Stop";
  say("asking …");
  const begun = performance.now();
  try {
    const accept = kind === "subscription" ? "text/event-stream" : "application/graphql-response+json";
    const answer = await fetch("/graphql", {
      method: "POST", body, signal: running.signal, headers: { ...own(), accept },
    });
    if (answer.headers.get("content-type")?.startsWith("text/event-stream")) await follow(answer);
    else show(await answer.text(), answer.status, performance.now() - begun);
  } catch (error) {
    say(error.name === "AbortError" ? "stopped" : `no answer: ${error.message}`, "bad");
  }
  running = null;
  run.textContent = "Run";
}

function show(text, status, took) {
  let value = null;
  try { value = JSON.parse(text); } catch { result.textContent = text; }
  if (value) paint(JSON.stringify(value, null, 2));
  const cost = value?.extensions?.cost;
  const parts = [`${status}`, `${Math.round(took)} ms`, `${text.length} bytes`];
  if (cost) parts.push(`${cost.actual} of ${cost.requested} fields`);
  const errors = value?.errors?.length ?? 0;
  if (errors) parts.push(errors === 1 ? "1 error" : `${errors} errors`);
  const session = value?.data?.signIn;
  if (session?.token) {
    token.value = session.token;
    keep("token", session.token);
    parts.push("the token is used from now on");
  }
  say(parts.join(" · "), errors || status >= 400 ? "bad" : "good");
}

// Events of the distinct connections mode: `next` with a result, then `complete`.
async function follow(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const results = [];
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.match(/^data: (.*)$/m)?.[1];
      if (/^event: next$/m.test(event) && data) {
        results.push(JSON.parse(data));
        if (results.length > 200) results.shift();
        paint(results.map((it) => JSON.stringify(it, null, 2)).join("\n\n"));
        result.scrollTop = result.scrollHeight;
        say(`${results.length} results, listening …`, "good");
      }
    }
  }
  say(`${results.length} results, complete`, results.some((it) => it.errors) ? "bad" : "good");
}

// Colours by small pieces of text; what is not recognised stays as it is.
function paint(text) {
  const pieces = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
  const parts = [];
  let last = 0;
  for (const match of text.matchAll(pieces)) {
    parts.push(text.slice(last, match.index));
    const kind = match[2] ? "name" : match[1] ? "text" : match[3] ? "word" : "number";
    parts.push(make("span", { class: kind }, match[1] ?? match[0]), match[2] ?? "");
    last = match.index + match[0].length;
  }
  parts.push(text.slice(last));
  result.replaceChildren(...parts);
}

// --- the schema ----------------------------------------------------------------------------------------------------------------

const browser = at("browser");
const trail = at("trail");
const find = at("find");
let types = new Map();
let roots = [];

const TYPE = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
const INTROSPECTION = `{ __schema {
  queryType { name } mutationType { name } subscriptionType { name }
  types {
    kind name description
    fields(includeDeprecated: true) {
      name description isDeprecated deprecationReason
      args { name description defaultValue type { ${TYPE} } }
      type { ${TYPE} }
    }
    inputFields { name description defaultValue type { ${TYPE} } }
    enumValues(includeDeprecated: true) { name description }
    possibleTypes { name }
  }
} }`;

async function read() {
  const answer = await fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ query: INTROSPECTION }),
  });
  const { data, errors } = await answer.json();
  if (!data) throw new Error(errors?.[0]?.message ?? `status ${answer.status}`);
  types = new Map(data.__schema.types.filter((it) => !it.name.startsWith("__")).map((it) => [it.name, it]));
  roots = ["queryType", "mutationType", "subscriptionType"].map((it) => data.__schema[it]?.name).filter(Boolean);
  overview();
}

read().catch((error) => {
  browser.replaceChildren(make("p", { class: "hint" }, `The schema cannot be read here: ${error.message}`));
});

function written(type) {
  if (type.kind === "NON_NULL") return [...written(type.ofType), "!"];
  if (type.kind === "LIST") return ["[", ...written(type.ofType), "]"];
  return [types.has(type.name) ? link(type.name) : type.name];
}

function link(name) {
  return make("button", { type: "button", class: "type", onclick: () => open(name) }, name);
}

function about(text) {
  return text ? [make("p", { class: "about" }, text)] : [];
}

function overview() {
  trail.replaceChildren();
  const others = [...types.keys()].filter((name) => !roots.includes(name)).sort();
  browser.replaceChildren(
    make("h3", {}, "Where to begin"), make("ul", {}, ...roots.map((name) => make("li", {}, link(name)))),
    make("h3", {}, "Types"), make("ul", { class: "types" }, ...others.map((name) => make("li", {}, link(name)))),
  );
}

function open(name, field) {
  const type = types.get(name);
  if (!type) return;
  trail.replaceChildren(
    make("button", { type: "button", class: "type", onclick: overview }, "Schema"), " › ", make("span", {}, name),
  );
  const members = (type.fields ?? type.inputFields ?? []).map((it) => member(it));
  const values = (type.enumValues ?? []).map((it) => make("li", {}, make("code", {}, it.name), ...about(it.description)));
  browser.replaceChildren(
    make("h3", { tabindex: "-1" }, name, make("small", {}, ` ${type.kind.toLowerCase().replace("_", " ")}`)),
    ...about(type.description), make("ul", { class: "members" }, ...members, ...values),
  );
  const target = field ? [...browser.querySelectorAll("code")].find((it) => it.dataset.name === field) : null;
  (target?.closest("li") ?? browser.firstChild).scrollIntoView({ block: "nearest" });
  browser.firstChild.focus({ preventScroll: true });
}

function member(field) {
  const line = make("code", { "data-name": field.name }, make("b", {}, field.name));
  if (field.args?.length) {
    line.append("(");
    field.args.forEach((argument, index) => {
      line.append(index ? ", " : "", argument.name, ": ", ...written(argument.type));
      if (argument.defaultValue) line.append(` = ${argument.defaultValue}`);
    });
    line.append(")");
  }
  line.append(": ", ...written(field.type));
  const old = field.isDeprecated ? [make("p", { class: "about old" }, `Deprecated: ${field.deprecationReason ?? ""}`)] : [];
  return make("li", {}, line, ...about(field.description), ...old);
}

find.addEventListener("input", () => {
  const wanted = find.value.trim().toLowerCase();
  if (!wanted) { overview(); return; }
  const found = [];
  for (const [name, type] of types) {
    if (name.toLowerCase().includes(wanted)) found.push([name]);
    for (const field of type.fields ?? type.inputFields ?? []) {
      if (field.name.toLowerCase().includes(wanted)) found.push([name, field.name]);
    }
  }
  trail.replaceChildren(make("span", {}, `${found.length} found`));
  const items = found.slice(0, 60).map(([type, field]) => make("li", {}, make("button", {
    type: "button", class: "type", onclick: () => open(type, field),
  }, field ? `${type}.${field}` : type)));
  browser.replaceChildren(make("ul", {}, ...items));
});

// --- light and dark ------------------------------------------------------------------------------------------------------------

function choose(theme) {
  document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll("[data-choose]")) {
    button.setAttribute("aria-pressed", String(button.dataset.choose === theme));
  }
}
choose(localStorage.getItem("graphql-theme") ?? "auto");
for (const button of document.querySelectorAll("[data-choose]")) {
  button.addEventListener("click", () => {
    localStorage.setItem("graphql-theme", button.dataset.choose);
    choose(button.dataset.choose);
  });
}
