// The content of the tab "WebSocket". Locust's page is React's: a tab of an extension can hold a
// table there and nothing else. So this is put below React's own children, and out of its reach.
"use strict";
(() => {
  const REFRESH = 2000; // as often as Locust's own tabs
  const PLACE = 200;
  const host = document.createElement("div");
  const content = host.attachShadow({ mode: "open" });
  host.hidden = true;

  const isChosen = () => new URLSearchParams(location.search).get("tab") === "websocket";

  const refresh = async () => {
    const answer = await fetch("./websocket/tab").catch(() => null);
    if (answer === null || !answer.ok || answer.redirected) return; // ended, or logged out
    const scrolled = content.querySelector(".scroll")?.scrollLeft ?? 0;
    content.innerHTML = await answer.text();
    content.querySelector(".scroll").scrollLeft = scrolled;
  };

  const place = () => {
    const main = document.querySelector("main");
    const isShown = isChosen() && Boolean(main?.querySelector('[role="tablist"]'));
    if (isShown && main.lastElementChild !== host) main.append(host);
    if (isShown && host.hidden) refresh();
    host.hidden = !isShown;
  };

  setInterval(place, PLACE);
  setInterval(() => host.hidden || document.hidden || refresh(), REFRESH);
})();
