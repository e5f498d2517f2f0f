// Signs somebody up and in, gives them an account with money on it, and prints their token.

const url = process.env.SHOP_URL;
const password = "correct horse battery";

async function post(path, body, token) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const email = `ada-${process.pid}@example.org`;
await post("/api/v1/users", { name: "Ada Lovelace", email, password });
const { token } = await post("/api/v1/sessions", { email, password });
const account = await post("/api/v1/accounts", { currency: "USD" }, token);
await post(`/api/v1/accounts/${account.id}/deposits`, { amount: 1_000_000 }, token);
console.log(token);
