/** The start of the page: with a token the chat, without one the form that asks for it. */

import { App } from "./app.js";
import { keep, tokenOfTab, unkept } from "./session.js";
import { byId } from "./view/dom.js";

const TOKEN = /^[\x21-\x7e]{1,4096}$/;

const begin = (token: string): void => {
  byId("sign-in").hidden = true;
  byId("main").hidden = false;
  const app = new App(token);
  if (unkept) app.notices.show("token", `This tab forgets its token on a reload: ${unkept}`);
  app.start();
};

const askForToken = (problem: string): void => {
  byId("sign-in").hidden = false;
  const field = byId<HTMLTextAreaElement>("token");
  byId("token-problem").textContent = problem;
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const token = field.value.trim().replace(/^Bearer\s+/i, "");
    if (!TOKEN.test(token)) {
      byId("token-problem").textContent = token
        ? "This is not a token: it has characters that no token has, or too many of them."
        : "Paste a token.";
      return;
    }
    keep(token);
    begin(token);
  });
  field.focus();
};

const token = tokenOfTab();
if (TOKEN.test(token)) begin(token);
else askForToken(token ? "The link has something that is not a token." : "");

// Another link in the same tab: its token counts from now on.
addEventListener("hashchange", () => {
  if (location.hash.includes("token=")) location.reload();
});
