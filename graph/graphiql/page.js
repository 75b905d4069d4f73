"use strict";

// The login lives in sessionStorage: it is gone with the tab, no other tab or origin sees it, and a reload of
// the page keeps it. A script that ran in this page could read it, which is why the page's policy lets in no
// script but the server's own. GraphiQL keeps its tabs and history there too, and no headers: a password that
// someone types into a login mutation does not stay on the disk.
const LOGIN = "graphfolio.login";
// Logs nobody in, so that it may outlive the tab: by it the server recognises a device that has logged in before.
const DEVICE = "graphfolio.device";
const DEVICE_HEADER = "x-device-token";
const ENDPOINT = "/graphql";
const REFRESH_EARLY_MS = 60_000;
// Answers tell what they were counted as only if asked to.
const COST = { "x-graphfolio-cost": "1" };
const PAYLOAD = "accessToken refreshToken expiresAt user { username } userErrors { code message }";
const LOG_IN = `mutation LogIn($input: LoginInput!) { login(input: $input) { ${PAYLOAD} } }`;
const REFRESH = `mutation Refresh($input: RefreshTokenInput!) { refreshToken(input: $input) { ${PAYLOAD} } }`;
const LOG_OUT = `mutation LogOut($input: LogoutInput!) { logout(input: $input) { userErrors { code message } } }`;

const element = (id) => document.getElementById(id);
let login = readLogin();
let refreshTimer = null;
let refreshing = null;
let sockets = null;
let reloadSchema = () => {};

function readLogin() {
  try {
    return JSON.parse(sessionStorage.getItem(LOGIN));
  } catch {
    return null;
  }
}

function keepLogin(next) {
  login = next;
  if (next) {
    sessionStorage.setItem(LOGIN, JSON.stringify(next));
  } else {
    sessionStorage.removeItem(LOGIN);
  }
  // The old socket carries the old login; the next subscription opens another.
  sockets?.dispose();
  sockets = null;
  showLogin();
  planRefresh();
}

function showLogin() {
  element("log-in").hidden = Boolean(login);
  element("logged-in").hidden = !login;
  element("viewer").textContent = login?.username ?? "";
}

function say(message) {
  element("message").textContent = message;
}

function authorization() {
  return login ? { authorization: `Bearer ${login.accessToken}` } : {};
}

function device() {
  const token = localStorage.getItem(DEVICE);
  return token ? { [DEVICE_HEADER]: token } : {};
}

async function post(body, headers) {
  const response = await fetch(ENDPOINT, {
    method: "POST",
    credentials: "omit",
    headers: { "content-type": "application/json", accept: "application/json", ...device(), ...headers },
    body: JSON.stringify(body),
  });
  const token = response.headers.get(DEVICE_HEADER);
  if (token) {
    localStorage.setItem(DEVICE, token);
  }
  return response.json();
}

// Runs one of the page's own mutations and returns its payload; throws an error with a line to show.
async function mutate(query, input, field) {
  const answer = await post({ query, variables: { input } }, {});
  const failure = answer.errors?.[0] ?? answer.data[field].userErrors[0];
  if (failure) {
    throw Object.assign(new Error(failure.message), { isAnswer: true });
  }
  return answer.data[field];
}

function loginFrom(payload, username) {
  return {
    username: payload.user?.username ?? username,
    accessToken: payload.accessToken,
    refreshToken: payload.refreshToken,
    expiresAt: payload.expiresAt,
  };
}

// A refresh token works once, so that every caller waits for the one refresh that is under way.
function refresh() {
  refreshing ??= refreshNow().finally(() => {
    refreshing = null;
  });
  return refreshing;
}

async function refreshNow() {
  const { refreshToken, username } = login;
  try {
    const payload = await mutate(REFRESH, { refreshToken }, "refreshToken");
    // Someone may have logged out meanwhile, and stays so.
    if (login?.refreshToken === refreshToken) {
      keepLogin(loginFrom(payload, username));
    }
  } catch (error) {
    if (error.isAnswer) {
      keepLogin(null);
      say("The login has ended. Log in again.");
    } else {
      say("The server cannot be reached.");
      planRefresh(10_000);
    }
  }
}

function planRefresh(atLeast = 1_000) {
  clearTimeout(refreshTimer);
  if (login) {
    const left = Date.parse(login.expiresAt) - Date.now();
    // A short-lived token is refreshed at half its time, or the page would do nothing else.
    const wait = Math.max(left - REFRESH_EARLY_MS, left / 2, atLeast);
    refreshTimer = setTimeout(refresh, Math.min(wait, 2 ** 31 - 1));
  }
}

element("log-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = element("log-in-button");
  const username = element("username").value;
  button.disabled = true;
  say("");
  try {
    const payload = await mutate(LOG_IN, { username, password: element("password").value }, "login");
    element("password").value = "";
    keepLogin(loginFrom(payload, username));
    reloadSchema();
  } catch (error) {
    say(error.isAnswer ? error.message : "The server cannot be reached.");
  } finally {
    button.disabled = false;
  }
});

element("log-out-button").addEventListener("click", async () => {
  const { refreshToken } = login;
  keepLogin(null);
  say("");
  try {
    await mutate(LOG_OUT, { refreshToken }, "logout");
  } catch (error) {
    say(error.isAnswer ? error.message : "The server cannot be reached: the login ends there by itself.");
  }
});

// Reads the text itself: what GraphiQL remembers of the document lags behind fast typing.
function operationsOf(query) {
  try {
    return GraphiQL.GraphQL.parse(query).definitions.filter((node) => node.kind === "OperationDefinition");
  } catch {
    return [];
  }
}

function subscribeTo(params) {
  sockets ??= graphqlWs.createClient({
    url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${ENDPOINT}`,
    connectionParams: () => ({ ...authorization(), ...COST }),
    retryAttempts: 3,
  });
  const client = sockets;
  return {
    subscribe: (observer) => ({
      unsubscribe: client.subscribe(params, {
        next: (value) => observer.next(value),
        complete: () => observer.complete(),
        error: (error) => {
          const reason = error?.reason ? `The connection was closed: ${error.reason}.` : "The connection failed.";
          observer.error(Array.isArray(error) ? error : [{ message: error?.message ?? reason }]);
        },
      }),
    }),
  };
}

// GraphiQL asks here for everything it runs. Headers of its editor win over the login of the bar.
async function fetcher(params, options) {
  if (refreshing) {
    await refreshing;
  }
  const operations = operationsOf(params.query);
  const named = operations.find((node) => node.name?.value === params.operationName);
  const asked = operations.length === 1 && !named ? { ...params, operationName: undefined } : params;
  if ((named ?? operations[0])?.operation === "subscription") {
    return subscribeTo(asked);
  }
  return post(asked, { ...authorization(), ...COST, ...lowerCased(options?.headers) });
}

function lowerCased(headers) {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
}

async function start() {
  const tree = await (await fetch("/graphiql/assets/tree.graphql")).text();
  // Only on the first visit: later, the tabs that GraphiQL kept are what the user left there.
  const isFirstVisit = !sessionStorage.getItem("graphiql:tabState");
  const variables = JSON.stringify({ positions: 50, transactions: 20 }, null, 2);
  ReactDOM.render(
    React.createElement(GraphiQL, {
      fetcher,
      storage: sessionStorage,
      defaultQuery: tree,
      query: isFirstVisit ? tree : undefined,
      variables: isFirstVisit ? variables : undefined,
      defaultEditorToolsVisibility: "variables",
      shouldPersistHeaders: false,
      showPersistHeadersSettings: false,
      isHeadersEditorEnabled: true,
      inputValueDeprecation: true,
      schemaDescription: true,
    }),
    element("explorer"),
  );
  reloadSchema = () => document.querySelector('[aria-label="Re-fetch GraphQL schema"]')?.click();
}

showLogin();
planRefresh();
start().catch(() => say("The explorer could not be loaded."));
