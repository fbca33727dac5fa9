// Pages that draw themselves again when something changed here; forms that say that they work.
"use strict";

const root = document.body.dataset.root;
const told = document.getElementById("told");

function tell(words) {
  const line = document.createElement("p");
  line.className = "warn";
  line.textContent = words;
  told.replaceChildren(line);
}

// Somebody who is typing or reading a form keeps the page as it is.
function typing() {
  const fields = document.querySelectorAll(
    "main input:not([type=hidden], [type=radio]), main textarea",
  );
  const inside = document.activeElement && document.activeElement.closest("main form");
  return Boolean(inside) || Array.from(fields).some((field) => field.value !== "");
}

async function drawAgain(mark) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) {
    return;
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of ["#main", "header.top nav"]) {
    const old = document.querySelector(part);
    const now = fresh.querySelector(part);
    if (old && now) {
      old.replaceChildren(...now.childNodes);
    }
  }
  document.body.dataset.mark = mark;
  told.replaceChildren();
}

const events = new EventSource(root + "/events");
events.addEventListener("mark", (event) => {
  if (event.data === document.body.dataset.mark) {
    return;
  }
  if ("live" in document.body.dataset && !typing()) {
    drawAgain(event.data);
  } else {
    tell(document.body.dataset.changed);
  }
});
events.addEventListener("over", () => {
  events.close();
  tell(document.body.dataset.over);
});

document.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button[data-busy]");
  if (button) {
    button.textContent = button.dataset.busy + " …";
    button.setAttribute("aria-disabled", "true");
  }
  if (event.target.dataset.sent) {
    event.preventDefault();
  }
  event.target.dataset.sent = "yes";
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    location.reload();
  }
});
