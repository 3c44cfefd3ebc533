module.exports = "hello 1";
