// Warns before a session ends, and says when it has. Every page works without this.
"use strict";
(function () {
  var who = document.getElementById("who");
  var ending = document.getElementById("ending");
  if (!who || !ending) { return; }
  var seconds = Number(who.dataset.endsIn);
  var warning = 120;
  if (!(seconds > warning)) { return; }
  function say(words, action) {
    var box = document.createElement("div");
    box.className = "govuk-warning-text";
    var text = document.createElement("strong");
    text.className = "govuk-warning-text__text";
    text.textContent = words;
    var link = document.createElement("a");
    link.className = "govuk-link";
    link.href = window.location.href;
    link.textContent = action;
    text.appendChild(link);
    box.appendChild(text);
    ending.replaceChildren(box);
  }
  window.setTimeout(function () {
    say("You will be signed out in two minutes unless you go on. ", "Stay signed in");
  }, (seconds - warning) * 1000);
  window.setTimeout(function () {
    say("Your session has ended, and nothing that you do here is kept. ", "Sign in again");
  }, seconds * 1000);
}());
