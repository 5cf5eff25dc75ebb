// What a receipt of a capture commits to: digests of claim, signature, key and time-stamp, out of the signed file.
// The same reading as signer/proof: container.py, jumbf.py and cose.py; nothing is trusted, nothing fetched.

class Refused extends Error {}
class Outside extends Error {} // a log that is in none of the reader's lists
class Unread extends Error {} // not examined: a kind of file that this page does not read

const latin = (bytes, from, to) => String.fromCharCode(...bytes.subarray(from, to));
const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const fromUtf8 = (bytes) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
const equal = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
}

// The one manifest store of a file, or null. Two would let two readers look at different ones.
function manifestStore(data) {
  const find = finderOf(data);
  if (!find) throw new Unread(say("this page does not read this kind of file; assay receipt verify may"));
  let found;
  try {
    found = find(data, view(data));
  } catch (error) {
    if (error instanceof RangeError) throw new Refused(say("the structure of the file is broken"));
    throw error;
  }
  if (found.length > 1) throw new Refused(say("the file embeds more than one manifest store"));
  return found[0] || null;
}

function finderOf(data) {
  if (data[0] === 0xff && data[1] === 0xd8) return inJpeg;
  if (hex(data.subarray(0, 8)) === "89504e470d0a1a0a") return inPng;
  if (latin(data, 0, 4) === "RIFF") return inRiff;
  if (["49492a00", "4d4d002a"].includes(hex(data.subarray(0, 4)))) return inTiff;
  if (latin(data, 4, 8) === "ftyp") return inBmff;
  return null;
}

function inJpeg(data, at32) {
  const pieces = new Map();
  let at = 2;
  while (at + 4 <= data.length && data[at] === 0xff) {
    const marker = data[at + 1];
    if (marker === 0xff) at += 1;
    else if (marker === 0xda || marker === 0xd9) break;
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) at += 2;
    else {
      const length = at32.getUint16(at + 2);
      if (length < 2) break;
      const body = data.subarray(at + 4, Math.min(at + 2 + length, data.length));
      if (marker === 0xeb && latin(body, 0, 2) === "JP" && body.length >= 16) {
        const instance = view(body).getUint16(2);
        if (!pieces.has(instance)) pieces.set(instance, []);
        pieces.get(instance).push([view(body).getUint32(4), body.subarray(8)]);
      }
      at += 2 + length;
    }
  }
  const stores = [];
  for (const parts of pieces.values()) {
    parts.sort((a, b) => a[0] - b[0]);
    if (parts.some((part, i) => part[0] !== parts[0][0] + i)) throw new Refused(say("segments of a manifest store are missing"));
    const header = hex(parts[0][1].subarray(0, 4)) === "00000001" ? 16 : 8;
    if (isStore(parts[0][1])) stores.push(joined(parts[0][1], ...parts.slice(1).map((part) => part[1].subarray(header))));
  }
  return stores;
}

function inPng(data, at32) {
  const stores = [];
  for (let at = 8; at + 12 <= data.length; ) {
    const length = at32.getUint32(at);
    const kind = latin(data, at + 4, at + 8);
    if (at + 12 + length > data.length) break;
    if (kind === "caBX") stores.push(data.subarray(at + 8, at + 8 + length));
    if (kind === "IEND") break;
    at += 12 + length;
  }
  return stores;
}

function inRiff(data, at32) {
  const stores = [];
  for (let at = 12; at + 8 <= data.length; ) {
    const length = at32.getUint32(at + 4, true);
    if (latin(data, at, at + 4) === "C2PA" && at + 8 + length <= data.length) stores.push(data.subarray(at + 8, at + 8 + length));
    at += 8 + length + (length & 1);
  }
  return stores;
}

function inTiff(data, at32) {
  const little = data[0] === 0x49;
  const stores = [];
  let at = at32.getUint32(4, little);
  for (let i = 0; i < 64 && at !== 0; i++) {
    const entries = at32.getUint16(at, little);
    for (let base = at + 2; base < at + 2 + 12 * entries; base += 12) {
      const [tag, kind] = [at32.getUint16(base, little), at32.getUint16(base + 2, little)];
      const [count, value] = [at32.getUint32(base + 4, little), at32.getUint32(base + 8, little)];
      if (tag === 0xcd41 && (kind === 1 || kind === 7) && count > 4 && value + count <= data.length) {
        stores.push(data.subarray(value, value + count));
      }
    }
    at = at32.getUint32(at + 2 + 12 * entries, little);
  }
  if (at !== 0) throw new Refused(say("the TIFF file has too many sub-files"));
  return stores;
}

function inBmff(data, at32) {
  const stores = [];
  for (let at = 0; at + 8 <= data.length; ) {
    let [length, header] = [at32.getUint32(at), 8];
    if (length === 1) [length, header] = [Number(at32.getBigUint64(at + 8)), 16];
    else if (length === 0) length = data.length - at;
    if (length < header) break;
    const body = at + header;
    const end = Math.min(at + length, data.length);
    if (latin(data, at + 4, at + 8) === "uuid" && hex(data.subarray(body, body + 16)) === "d8fec3d61b0e483c92975828877ec481") {
      const zero = data.subarray(0, Math.min(end, body + 84)).indexOf(0, body + 20);
      if (zero !== -1 && latin(data, body + 20, zero) === "manifest") {
        const start = zero + 9;
        stores.push(data.subarray(start, Math.min(start + at32.getUint32(start), end)));
      }
    }
    at += length;
  }
  return stores;
}

const isStore = (store) =>
  latin(store, 4, 8) === "jumb" && latin(store, 12, 16) === "jumd" && latin(store, 33, 38) === "c2pa\0";

// ISO/IEC 19566-5: [kind, content] of the boxes in these bytes.
function boxes(data) {
  const found = [];
  for (let at = 0; at < data.length; ) {
    if (at + 8 > data.length || found.length > 50000) throw new Refused(say("a box of the manifest store is truncated"));
    let [length, header] = [view(data).getUint32(at), 8];
    if (length === 1 && at + 16 <= data.length) [length, header] = [Number(view(data).getBigUint64(at + 8)), 16];
    if (length < header || at + length > data.length) throw new Refused(say("the length of a box is wrong"));
    found.push([latin(data, at + 4, at + 8), data.subarray(at + header, at + length)]);
    at += length;
  }
  return found;
}

function superbox(data) {
  const [description, ...parts] = boxes(data);
  if (!description || description[0] !== "jumd" || !(description[1][16] & 2)) throw new Refused(say("a box of the manifest store has no label"));
  const end = description[1].indexOf(0, 17);
  if (end === -1) throw new Refused(say("a label of the manifest store does not end"));
  const label = fromUtf8(description[1].subarray(17, end));
  const plain = parts.find((part) => part[0] !== "jumb");
  return { label, content: plain ? plain[1] : null, children: parts.filter((part) => part[0] === "jumb").map((part) => part[1]) };
}

function activeManifest(store) {
  const outer = boxes(store);
  const whole = outer.length === 1 && outer[0][0] === "jumb" ? superbox(outer[0][1]) : null;
  if (!whole || whole.label !== "c2pa" || !whole.children.length) throw new Refused(say("this is no C2PA manifest store"));
  const found = superbox(whole.children[whole.children.length - 1]).children.map(superbox);
  const claims = found.filter((box) => box.label === "c2pa.claim.v2" || box.label === "c2pa.claim");
  const signatures = found.filter((box) => box.label === "c2pa.signature");
  if (claims.length !== 1 || signatures.length !== 1 || !claims[0].content || !signatures[0].content) {
    throw new Refused(say("the manifest needs exactly one claim and one signature"));
  }
  return { claim: claims[0].content, signature: signatures[0].content };
}

// CBOR (RFC 8949) as far as a COSE_Sign1 needs it: definite lengths only.
function cbor(data) {
  let at = 0;
  const take = (count) => {
    if (at + count > data.length) throw new Refused(say("the claim signature is no CBOR"));
    at += count;
    return data.subarray(at - count, at);
  };
  const argument = (low) => {
    if (low < 24) return low;
    if (low > 27) throw new Unread(say("this page does not read this spelling of a claim signature"));
    const raw = take(1 << (low - 24));
    return raw.reduce((sum, byte) => sum * 256 + byte, 0);
  };
  const value = (depth) => {
    if (depth > 16) throw new Refused(say("the claim signature is nested too deeply"));
    const first = take(1)[0];
    const [major, low] = [first >> 5, first & 31];
    if (major === 7) return low < 24 ? { 20: false, 21: true }[low] ?? null : (take(1 << (low - 24)), null);
    const count = argument(low);
    if (major === 0) return count;
    if (major === 1) return -1 - count;
    if (major === 2) return take(count);
    if (major === 3) return fromUtf8(take(count));
    if (major === 6) return { tag: count, value: value(depth + 1) };
    if (count > data.length) throw new Refused(say("the claim signature is no CBOR"));
    if (major === 4) return Array.from({ length: count }, () => value(depth + 1));
    return new Map(Array.from({ length: count }, () => [value(depth + 1), value(depth + 1)]));
  };
  const result = value(0);
  if (at !== data.length) throw new Refused(say("the claim signature has trailing bytes"));
  return result;
}

const isBytes = (value) => value instanceof Uint8Array;

function claimSignature(bytes) {
  let sign1 = cbor(bytes);
  if (sign1 && sign1.tag === 18) sign1 = sign1.value;
  const [protectedBytes, open, payload, signature] = Array.isArray(sign1) && sign1.length === 4 ? sign1 : [];
  if (!isBytes(protectedBytes) || !isBytes(signature) || !(open instanceof Map) || payload !== null) {
    throw new Refused(say("the claim signature is no COSE_Sign1"));
  }
  const header = cbor(protectedBytes);
  if (!(header instanceof Map)) throw new Refused(say("the claim signature has no protected header"));
  let chain = [header, open].flatMap((map) => [map.get(33), map.get("x5chain")]).find((found) => found !== undefined);
  chain = isBytes(chain) ? [chain] : chain;
  if (!Array.isArray(chain) || !chain.length || !chain.every(isBytes)) throw new Refused(say("the claim signature names no certificate"));
  const stamps = open.get("sigTst2");
  const tokens = stamps instanceof Map ? stamps.get("tstTokens") : [];
  if (!Array.isArray(tokens) || (stamps !== undefined && !tokens.length)) throw new Refused(say("sigTst2 holds no list of tokens"));
  const values = tokens.map((entry) => (entry instanceof Map ? entry.get("val") : null));
  if (!values.every(isBytes)) throw new Refused(say("sigTst2 holds something that is no token"));
  return { signature, certificate: chain[0], token: values.length ? values[0] : null };
}

// DER: the SubjectPublicKeyInfo of a certificate, by its place in TBSCertificate (RFC 5280 section 4.1).
function publicKeyInfo(certificate) {
  const element = (data, at) => {
    let [length, body] = [data[at + 1], at + 2];
    if (length > 0x80) {
      body += length & 0x7f;
      length = data.subarray(at + 2, body).reduce((sum, byte) => sum * 256 + byte, 0);
    }
    if (!(body + length <= data.length)) throw new Refused(say("the certificate is broken"));
    return { tag: data[at], at, body, end: body + length };
  };
  const inside = (data, outer) => {
    const found = [];
    for (let at = outer.body; at < outer.end; ) {
      found.push(element(data, at));
      at = found[found.length - 1].end;
    }
    return found;
  };
  const whole = inside(certificate, element(certificate, 0));
  const fields = whole.length ? inside(certificate, whole[0]) : [];
  const key = fields[fields.length && fields[0].tag === 0xa0 ? 6 : 5];
  if (!key || key.tag !== 0x30) throw new Refused(say("the certificate is broken"));
  return certificate.subarray(key.at, key.end);
}

// The record under which a capture is logged (docs/formats/log.md).
async function captureRecord(data) {
  const store = manifestStore(data);
  if (!store) throw new Unread(say("this file carries no signed credential that a receipt could be about"));
  const manifest = activeManifest(store);
  const signed = claimSignature(manifest.signature);
  return {
    claim_sha256: hex(await sha256(manifest.claim)),
    key_sha256: hex(await sha256(publicKeyInfo(signed.certificate))),
    signature_sha256: hex(await sha256(signed.signature)),
    token_sha256: signed.token ? hex(await sha256(signed.token)) : null,
  };
}
