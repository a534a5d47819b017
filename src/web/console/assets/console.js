// Warns before a session ends. Every page works without this.
"use strict";
(function () {
  var who = document.getElementById("who");
  var ending = document.getElementById("ending");
  if (!who || !ending) { return; }
  var seconds = Number(who.dataset.endsIn);
  var warning = 120;
  if (!(seconds > warning)) { return; }
  window.setTimeout(function () {
    var box = document.createElement("div");
    box.className = "govuk-warning-text";
    var text = document.createElement("strong");
    text.className = "govuk-warning-text__text";
    text.textContent = "You will be signed out in two minutes unless you go on. ";
    var link = document.createElement("a");
    link.className = "govuk-link";
    link.href = window.location.href;
    link.textContent = "Stay signed in";
    text.appendChild(link);
    box.appendChild(text);
    ending.appendChild(box);
  }, (seconds - warning) * 1000);
}());
