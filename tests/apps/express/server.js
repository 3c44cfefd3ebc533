const express = require("express");
const greeting = require("./greeting");

const app = express();
app.get("/", (request, response) => response.type("text").send(`${greeting}\n`));

const server = app.listen(process.env.PORT || 3000, () => console.log("listening"));
process.on("SIGTERM", () => server.close());
