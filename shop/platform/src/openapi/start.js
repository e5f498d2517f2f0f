// Begins the page: Swagger UI over the shop's own document. A token is kept for as long as the tab is open.
"use strict";

const page = document.getElementById("page");

window.ui = SwaggerUIBundle({
  url: page.dataset.document,
  domNode: page,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: true,
  // The shop is the only place that is asked: no other one checks the document.
  validatorUrl: "none",
  presets: [SwaggerUIBundle.presets.apis],
});
