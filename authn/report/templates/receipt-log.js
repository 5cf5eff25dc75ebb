// Receipts, notes, checkpoints, proofs, keys and policies as C2SP writes them; the same rules as authn/tlog.

const HEADER = "c2sp.org/tlog-proof@v1";
const MAX_HASHES = 63;
const ED25519 = 1;
const COSIGNATURE = 4;
const SUBTREE = 6; // ML-DSA-44: no browser has it, so it is named and not checked
const TAGGED = 2; // leaves with tags (decision 0007)
const TAGS = { certificate: "certificate_sha256", device: "device_id", key: "spki_sha256" };
const TAG_DOMAIN = "assay.log/tag/v2";
const KEY_BYTES = { [ED25519]: 32, [COSIGNATURE]: 32, [SUBTREE]: 1312 };

const utf8 = (text) => new TextEncoder().encode(text);
const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

function decoded(text, what) {
  let bytes = null;
  try {
    bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    // refused below
  }
  if (!bytes || base64(bytes) !== text) throw new Refused(say("{what} is not in canonical base64", { what }));
  return bytes;
}

function number(text, what) {
  if (!/^(0|[1-9][0-9]{0,18})$/.test(text) || BigInt(text) >= 2n ** 63n) throw new Refused(say("{what} is no number", { what }));
  return BigInt(text);
}

function hash(text, what) {
  const bytes = decoded(text, what);
  if (bytes.length !== 32) throw new Refused(say("{what} is no SHA-256 hash", { what }));
  return bytes;
}

// [before, after] the first or the last place of a separator; null without one.
function cut(text, separator, last) {
  const at = last ? text.lastIndexOf(separator) : text.indexOf(separator);
  return at === -1 ? null : [text.slice(0, at), text.slice(at + separator.length)];
}

function parseReceipt(text) {
  const parts = cut(text, "\n\n", false);
  const lines = parts ? parts[0].split("\n") : [];
  if (text.length > 1 << 20 || !parts || lines[0] !== HEADER || lines.length > MAX_HASHES + 3) {
    throw new Refused(say("this is no receipt of a log"));
  }
  if (lines.length < 3 || !lines[1].startsWith("extra ") || !lines[2].startsWith("index ")) {
    throw new Refused(say("the receipt has no salt or no index"));
  }
  const { kind, salt, version } = opening(fromUtf8(decoded(lines[1].slice(6), say("the receipt's salt"))));
  return {
    kind,
    salt,
    version,
    index: number(lines[2].slice(6), say("the receipt's index")),
    proof: lines.slice(3).map((line) => hash(line, say("a hash of the receipt"))),
    note: parts[1],
  };
}

function opening(text) {
  let fields = null;
  try {
    fields = JSON.parse(text);
  } catch {
    // refused below
  }
  const { kind, salt, v: version } = fields || {};
  const whole = typeof kind === "string" && typeof salt === "string" && /^[0-9a-f]{64}$/.test(salt);
  // eslint-disable-next-line no-control-regex
  if (!whole || !/^[\x00-\x7f]*$/.test(kind) || JSON.stringify({ kind, salt, v: version }) !== text) {
    throw new Refused(say("the receipt's salt cannot be read"));
  }
  if (version !== 1 && version !== TAGGED) throw new Refused(say("the receipt is about a leaf of a version that is not known here"));
  return { kind, version, salt: Uint8Array.from(salt.match(/../g), (pair) => parseInt(pair, 16)) };
}

// RFC 8785 for what a record may hold.
function canonical(value) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  if (typeof value === "string" && !/[\ud800-\udfff]/u.test(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object") throw new Refused(say("this is no record of a log"));
  const members = Object.keys(value).sort().map((name) => `${canonical(name)}:${canonical(value[name])}`);
  return `{${members.join(",")}}`;
}

async function leafOf(receipt, record) {
  const commit = await sha256(receipt.salt, utf8(canonical(record)));
  const leaf = { commit: hex(commit), kind: receipt.kind, v: receipt.version };
  if (receipt.version === TAGGED) {
    leaf.tags = {};
    for (const [name, member] of Object.entries(TAGS)) {
      if (typeof record[member] !== "string") continue;
      leaf.tags[name] = hex(await sha256(utf8(`${TAG_DOMAIN}\n${name}\n`), commit, utf8(record[member])));
    }
  }
  return utf8(canonical(leaf));
}

function checkName(name) {
  // eslint-disable-next-line no-control-regex
  if (!name || /[+\s\x00-\x1f\x85]/.test(name)) throw new Refused(say("a signer's name has no spaces and no plus sign"));
  return name;
}

function parseNote(note) {
  const parts = cut(note, "\n\n", true);
  const lines = parts ? parts[1].split("\n") : [];
  // eslint-disable-next-line no-control-regex
  if (/[\x00-\x09\x0b-\x1f]/.test(note) || !parts || lines.pop() !== "" || !lines.length || lines.length > 64) {
    throw new Refused(say("the receipt holds no signed note"));
  }
  return { text: `${parts[0]}\n`, signatures: lines.map(signatureLine) };
}

function signatureLine(line) {
  const parts = line.startsWith("\u2014 ") ? cut(line.slice(2), " ", false) : null;
  const raw = parts ? decoded(parts[1], say("a signature")) : [];
  if (raw.length <= 4) throw new Refused(say("a line of signatures is not one"));
  return { name: checkName(parts[0]), id: hex(raw.subarray(0, 4)), signature: raw.subarray(4) };
}

function parseCheckpoint(text) {
  const lines = text.split("\n");
  if (lines.pop() !== "" || lines.length < 3 || !lines.every(Boolean)) throw new Refused(say("this is no checkpoint of a log"));
  return { origin: lines[0], size: number(lines[1], say("the size")), root: hash(lines[2], say("the root")) };
}

async function parseKey(text) {
  const [name, rest] = cut(text, "+", false) || [];
  const [id, encoded] = cut(rest || "", "+", false) || [];
  if (!id) throw new Refused(say("this is no key of a log or witness (a vkey)"));
  const raw = decoded(encoded, say("a key"));
  const found = { name: checkName(name), id, algorithm: raw[0], key: raw.subarray(1), text };
  const expected = hex((await sha256(utf8(`${name}\n`), raw)).subarray(0, 4));
  if (found.key.length !== KEY_BYTES[found.algorithm] || id !== expected) {
    throw new Refused(say("this is no key of a log or witness (a vkey)"));
  }
  return found;
}

// The text area: a C2SP tlog-policy, or keys, one a line. {logs, witnesses, enough(names), asked}
async function parseTrust(text, quorum) {
  const lines = text.split("\n").map((line) => line.split(/\s+/).filter(Boolean));
  const used = lines.map((words, i) => ({ words, at: i + 1 })).filter(({ words }) => words.length && !words[0].startsWith("#"));
  if (used.some(({ words }) => words[0] === "quorum")) return policyOf(used);
  const keys = [];
  for (const { words, at } of used) keys.push(await inLine(at, () => parseKey(words.join(" "))));
  const witnesses = keys.filter((key) => key.algorithm !== ED25519);
  const twice = (key) => witnesses.some((other) => other.name !== key.name && equal(other.key, key.key));
  if (witnesses.some(twice)) throw new Unread(say("one key stands for two witnesses"));
  const logs = keys.filter((key) => key.algorithm === ED25519);
  checkApart(logs, witnesses);
  return {
    logs,
    witnesses,
    asked: witnesses.length > 0,
    enough: (names) => new Set(names).size >= quorum,
  };
}

// The operator of a log is no witness of it, whatever the key is called.
function checkApart(logs, witnesses) {
  if (witnesses.some((witness) => logs.some((log) => equal(log.key, witness.key)))) {
    throw new Unread(say("a log's own key stands as its witness"));
  }
}

async function inLine(at, read) {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Refused) throw new Unread(say("line {at} of the keys: {why}", { at, why: error.message }));
    throw error;
  }
}

async function policyOf(used) {
  const policy = { logs: [], witnesses: [], groups: [], quorum: null };
  const labels = new Set();
  const grouped = new Set();
  for (const { words, at } of used) await inLine(at, () => policyLine(words, policy, labels, grouped));
  checkApart(policy.logs, policy.witnesses);
  const enough = (names) => {
    const met = new Set(policy.witnesses.filter((key) => names.includes(key.name)).map((key) => key.label));
    for (const { label, members, threshold } of policy.groups) {
      if (members.filter((member) => met.has(member)).length >= threshold) met.add(label);
    }
    return met.has(policy.quorum);
  };
  return { logs: policy.logs, witnesses: policy.witnesses, asked: policy.quorum !== "none", enough };
}

async function policyLine(words, policy, labels, grouped) {
  const [what, first, second, ...rest] = words;
  const fresh = (label) => {
    if (label === "none" || labels.has(label)) throw new Refused(say("the name {label} is taken", { label }));
    labels.add(label);
  };
  if (what === "log" && first && words.length <= 3) {
    const key = await parseKey(first);
    if (key.algorithm !== ED25519) throw new Refused(say("this is no key of a log"));
    policy.logs.push(key);
  } else if (what === "witness" && second && rest.length <= 1) {
    const key = await parseKey(second);
    const same = (other) => other.name === key.name || equal(other.key, key.key);
    if (key.algorithm === ED25519 || policy.witnesses.some(same)) throw new Refused(say("this is no key of a witness, or one named twice"));
    fresh(first);
    policy.witnesses.push({ ...key, label: first });
  } else if (what === "group" && rest.length) {
    const known = rest.every((member) => labels.has(member) && !grouped.has(member));
    const threshold = { any: 1, all: rest.length }[second] ?? (/^[0-9]{1,3}$/.test(second) ? Number(second) : 0);
    if (!known || new Set(rest).size !== rest.length || threshold < 1 || threshold > rest.length) {
      throw new Refused(say("a group has known members, each once, and asks for some of them"));
    }
    for (const member of rest) grouped.add(member);
    fresh(first);
    policy.groups.push({ label: first, members: rest, threshold });
  } else if (what === "quorum" && words.length === 2 && policy.quorum === null && (first === "none" || labels.has(first))) {
    policy.quorum = first;
  } else {
    throw new Refused(say("this is no line of a policy"));
  }
}

// Whether the key made the signature over the note's text: "yes", "no", or "unchecked".
async function signedBy(key, text, signature) {
  if (key.algorithm === ED25519) return (await ed25519(key.key, signature, utf8(text))) ? "yes" : "no";
  const at = cosignedAt(signature);
  if (at === null) return "no";
  if (key.algorithm === SUBTREE) return "unchecked";
  const message = utf8(`cosignature/v1\ntime ${at}\n${text}`);
  return (await ed25519(key.key, signature.subarray(8), message)) ? "yes" : "no";
}

function cosignedAt(signature) {
  const at = signature.length > 8 ? view(signature).getBigUint64(0) : 0n;
  return at > 0n && at < 2n ** 63n ? at : null;
}

// RFC 9162 section 2.1.3.2. The steps from the leaf upwards, and the root that they lead to (null: no such proof).
async function climb(leaf, index, size, proof) {
  let [at, last, found] = [index, size - 1n, await sha256(new Uint8Array([0]), leaf)];
  const steps = [];
  if (index >= size || proof.length > MAX_HASHES) return { steps, root: null };
  for (const sibling of proof) {
    if (last === 0n) return { steps, root: null };
    const left = (at & 1n) === 1n || at === last;
    found = await sha256(new Uint8Array([1]), ...(left ? [sibling, found] : [found, sibling]));
    steps.push({ left, sibling, found });
    if (left) while (at !== 0n && (at & 1n) === 0n) [at, last] = [at >> 1n, last >> 1n];
    [at, last] = [at >> 1n, last >> 1n];
  }
  return { steps, root: last === 0n ? found : null };
}
