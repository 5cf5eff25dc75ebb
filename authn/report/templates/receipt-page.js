// The page: files in, a list of what was checked and a drawing of the path out. Texts of a receipt stay text.

const NODE = 64; // width of one step in the drawing
const element = (id) => document.getElementById(id);

// {outcome, reason, steps, path}; a step is [state, what, detail]. Throws nothing.
async function examine(receiptText, about, trust) {
  const seen = { steps: [], path: null };
  try {
    const found = await examined(receiptText, about, trust, seen);
    return { ...seen, ...found };
  } catch (error) {
    const outcome = outcomeOf(error);
    seen.steps.push([outcome, seen.now, error.message]);
    return { ...seen, outcome, reason: error.message };
  }
}

function outcomeOf(error) {
  if (error instanceof Refused) return "refuted";
  if (error instanceof Outside) return "outside_lists";
  if (error instanceof Unread) return "not_examined";
  throw error;
}

async function examined(receiptText, about, trust, seen) {
  const done = (state, detail) => seen.steps.push([state, seen.now, detail]);
  seen.now = say("The keys");
  if (!trust.logs.length) throw new Unread(say("no key of a log was given"));
  seen.now = say("The receipt");
  const receipt = parseReceipt(receiptText);
  done("established", say("it says: entry {index} of a log, of the kind {kind}", receipt));
  seen.now = say("The log's signature");
  const { checkpoint, signers } = await signedCheckpoint(receipt.note, trust);
  const root = hex(checkpoint.root);
  done("established", say("{origin} signed {size} entries with root {root}", { ...checkpoint, root }));
  seen.now = say("The entry");
  const leaf = await leafOf(receipt, await recordOf(about, receipt.kind));
  done("established", say("with the receipt's salt, the file makes the entry {entry}", { entry: fromUtf8(leaf) }));
  seen.now = say("The path to the root");
  const climbed = await climb(leaf, receipt.index, checkpoint.size, receipt.proof);
  const arrived = climbed.root !== null && equal(climbed.root, checkpoint.root);
  seen.path = { ...climbed, leaf: await sha256(new Uint8Array([0]), leaf), signed: checkpoint.root, arrived };
  if (!arrived) throw new Refused(say("the path does not lead to the signed root: this entry is not the one of the receipt"));
  done("established", say("{count} hashes lead from the entry to the signed root", { count: receipt.proof.length }));
  return { outcome: "established", reason: witnessed(trust, signers, seen.steps) };
}

// The first log in the list that signed. A bad signature by a known key refuses the whole note.
async function signedCheckpoint(note, trust) {
  const parsed = parseNote(note);
  const checkpoint = parseCheckpoint(parsed.text);
  const signers = [];
  const judged = async (key) => {
    const found = parsed.signatures.find((one) => one.name === key.name && one.id === key.id);
    if (!found) return false;
    const state = await signedBy(key, parsed.text, found.signature);
    if (state === "no") throw new Refused(say("the signature of {name} is not valid", key));
    signers.push({ key, state, at: key.algorithm === ED25519 ? null : cosignedAt(found.signature) });
    return true;
  };
  const log = trust.logs.find((key) => key.name === checkpoint.origin && parsed.signatures.some((one) => one.name === key.name && one.id === key.id));
  if (!trust.logs.some((key) => key.name === checkpoint.origin)) throw new Outside(say("the checkpoint is signed by no log in your list"));
  if (!log) throw new Refused(say("the checkpoint bears the name of your log and is not signed by it"));
  await judged(log);
  for (const key of trust.witnesses) await judged(key);
  return { checkpoint, signers: signers.slice(1) };
}

function witnessed(trust, signers, steps) {
  for (const { key, state, at } of signers) {
    const when = new Date(Number(at) * 1000);
    const told = !Number.isNaN(when.getTime());
    const said = told
      ? say("saw this log at {when} by its own clock", { when: when.toISOString().replace(".000Z", "Z") })
      : say("saw this log");
    const unchecked = say("its signature is of a kind (ML-DSA-44) that is not checked here");
    const witness = say("Witness {name}", key);
    steps.push(state === "yes" ? ["established", witness, said] : ["not_examined", witness, unchecked]);
  }
  const names = (...states) => signers.filter(({ state }) => states.includes(state)).map(({ key }) => key.name);
  if (trust.asked && trust.enough(names("yes"))) return say("Witnesses in your list saw the same log: {names}.", { names: names("yes").join(", ") });
  const why = say("Unwitnessed: the operator committed to the entry; nobody else is shown to have seen that log.");
  const open = trust.asked && trust.enough(names("yes", "unchecked"));
  const enough = open ? say("enough only together with signatures that are not checked here") : say("none, or fewer than you ask for");
  steps.push(["not_examined", say("Witnesses"), enough]);
  return open ? `${why} ${say("Some signatures of witnesses could not be checked here.")}` : why;
}

async function recordOf(about, kind) {
  if (!about) throw new Unread(say("the file that the receipt is about was not given"));
  try {
    return kind === "receipt" ? await captureRecord(about) : recordIn(about);
  } catch (error) {
    if (error instanceof Refused) throw new Unread(error.message); // a broken file says nothing about the receipt
    throw error;
  }
}

function recordIn(about) {
  try {
    const record = JSON.parse(fromUtf8(about));
    if (record && typeof record === "object" && !Array.isArray(record)) return record;
  } catch {
    // not read, below
  }
  throw new Unread(say("this entry is no capture; give its record in JSON in place of a photo"));
}

function cloned(id) {
  return element(id).content.cloneNode(true);
}

function line(tag, text, className) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function shown(result) {
  const card = cloned(`outcome-${result.outcome}`);
  card.querySelector(".detail").textContent = result.reason;
  const list = card.querySelector(".steps");
  for (const [state, what, detail] of result.steps) {
    const item = document.createElement("li");
    const text = document.createElement("span");
    text.append(line("b", what), line("span", ` ${element(`mark-${state}`).dataset.badge}. `, "soft"), line("bdi", detail));
    item.append(cloned(`mark-${state}`), text);
    list.append(item);
  }
  if (result.path) card.querySelector(".pathplace").replaceWith(drawing(result.path));
  element("result").replaceChildren(card);
  element("result").focus();
}

// From left to right: the entry, every hash it is joined with (above: from the left), the root.
function drawing({ steps, leaf, signed, arrived }) {
  const figure = document.createElement("figure");
  figure.className = "drawing path scroll";
  figure.tabIndex = 0;
  figure.setAttribute("aria-label", say("Drawing of the path"));
  const width = NODE * (steps.length + 2);
  const svg = shape("svg", { viewBox: `0 0 ${width} 128`, role: "img", width });
  const short = (bytes) => hex(bytes.subarray(0, 3));
  const drawn = arrived
    ? "The path from the entry over {count} hashes to the root that the log signed."
    : "The path from the entry over {count} hashes to a root that the log did not sign.";
  svg.setAttribute("aria-label", say(drawn, { count: steps.length }));
  const put = (x, y, kind, text) => {
    svg.append(shape("circle", { cx: x, cy: y, r: 9, class: kind }));
    svg.append(Object.assign(shape("text", { x, y: y + 26, class: "hash" }), { textContent: text }));
  };
  steps.forEach(({ left, sibling, found }, i) => {
    const [x, next] = [NODE / 2 + i * NODE, NODE / 2 + (i + 1) * NODE];
    const y = left ? 14 : 92;
    svg.append(shape("line", { x1: x, y1: 54, x2: next, y2: 54, class: "way" }));
    svg.append(shape("line", { x1: x + NODE / 4, y1: y, x2: next, y2: 54, class: "joins" }));
    put(x + NODE / 4, y, "given", short(sibling));
    put(next, 54, i === steps.length - 1 ? (arrived ? "root" : "lost") : "made", short(found));
  });
  put(NODE / 2, 54, "leaf", short(leaf));
  figure.append(svg);
  const caption = arrived
    ? "Entry {leaf}… on the left; its path ends in the signed root {root}… Filled: computed here. Open: given by the receipt."
    : "Entry {leaf}… on the left; its path misses the signed root {root}… Filled: computed here. Open: given by the receipt.";
  figure.append(line("figcaption", say(caption, { leaf: short(leaf), root: short(signed) })));
  return figure;
}

function shape(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// The receipt is the file that begins like one; the other is what it is about.
async function sorted(files) {
  const read = await Promise.all(Array.from(files, async (file) => new Uint8Array(await file.arrayBuffer())));
  const receipts = read.filter((bytes) => latin(bytes, 0, HEADER.length) === HEADER);
  const others = read.filter((bytes) => !receipts.includes(bytes));
  if (receipts.length !== 1 || others.length > 1) throw new Unread(say("Give one receipt (.tlog-proof) and the one file it is about."));
  return [fromUtf8(receipts[0]), others[0] || null];
}

async function check(files) {
  element("result").replaceChildren();
  if (!window.isSecureContext || !window.crypto?.subtle) {
    element("progress").textContent = element("receipt").dataset.insecure;
    return;
  }
  element("progress").textContent = element("receipt").dataset.checking;
  try {
    const [receipt, about] = await sorted(files);
    const trust = await parseTrust(element("keys").value, Math.max(1, Number(element("quorum").value) || 1));
    shown(await examine(receipt, about, trust));
    element("progress").textContent = "";
  } catch (error) {
    if (!(error instanceof Unread || error instanceof DOMException)) throw error;
    element("progress").textContent = error.message;
  }
}

element("files").disabled = false;
element("go").disabled = false;
element("receipt").addEventListener("submit", (event) => {
  event.preventDefault();
  check(element("files").files);
});
for (const [kind, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  element("receipt").addEventListener(kind, (event) => {
    event.preventDefault();
    element("receipt").classList.toggle("over", over);
    if (kind === "drop") {
      element("files").files = event.dataTransfer.files;
      check(event.dataTransfer.files);
    }
  });
}
