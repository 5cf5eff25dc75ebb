// What the script says, in the language of the page: its English sentences, or what the page's table has for them.

const words = JSON.parse(document.getElementById("receipt").dataset.words);
const say = (text, values = {}) => (words[text] ?? text).replace(/\{(\w+)\}/g, (_, name) => values[name]);
