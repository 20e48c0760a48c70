"use strict";

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "none", // all operations of all services at once take a browser seconds
  filter: true,
  defaultModelsExpandDepth: -1,
  validatorUrl: null, // the default sends the document's address to a public service
});
