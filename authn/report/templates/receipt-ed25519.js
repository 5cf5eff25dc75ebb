// Ed25519 (RFC 8032) for browsers whose WebCrypto does not have it. Verifying only: nothing here is secret.

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (a) => ((a % P) + P) % P;

function power(base, exponent) {
  let result = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = (b * b) % P) if (e & 1n) result = (result * b) % P;
  return result;
}

const D = mod(-121665n * power(121666n, P - 2n));
const ROOT = power(2n, (P - 1n) / 4n); // of -1
const littleEndian = (bytes) => bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);

// Extended coordinates (X, Y, Z, T), section 5.1.4.
function add(p, q) {
  const a = mod((p[1] - p[0]) * (q[1] - q[0]));
  const b = mod((p[1] + p[0]) * (q[1] + q[0]));
  const c = mod(2n * p[3] * q[3] * D);
  const d = mod(2n * p[2] * q[2]);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function times(scalar, point) {
  let result = [0n, 1n, 1n, 0n];
  for (let s = scalar, p = point; s > 0n; s >>= 1n, p = add(p, p)) if (s & 1n) result = add(result, p);
  return result;
}

// Section 5.1.3; null where the bytes are no point, or not in their one spelling.
function pointOf(bytes) {
  const raw = littleEndian(bytes);
  const [sign, y] = [raw >> 255n, raw & (2n ** 255n - 1n)];
  if (y >= P) return null;
  const [u, v] = [mod(y * y - 1n), mod(D * y * y + 1n)];
  let x = mod(u * power(v, 3n) * power(u * power(v, 7n), (P - 5n) / 8n));
  if (mod(v * x * x) === mod(-u)) x = mod(x * ROOT);
  if (mod(v * x * x) !== u || (x === 0n && sign === 1n)) return null;
  if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, mod(x * y)];
}

const BASE = pointOf(new Uint8Array([0x58, ...Array(31).fill(0x66)]));

async function ed25519Here(key, signature, message) {
  const [a, r] = [pointOf(key), pointOf(signature.subarray(0, 32))];
  const s = littleEndian(signature.subarray(32));
  if (!a || !r || s >= ORDER) return false;
  const digest = await crypto.subtle.digest("SHA-512", joined(signature.subarray(0, 32), key, message));
  const left = times(s, BASE);
  const right = add(r, times(littleEndian(new Uint8Array(digest)) % ORDER, a));
  return mod(left[0] * right[2]) === mod(right[0] * left[2]) && mod(left[1] * right[2]) === mod(right[1] * left[2]);
}

async function ed25519(key, signature, message) {
  if (key.length !== 32 || signature.length !== 64) return false;
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    return ed25519Here(key, signature, message); // unknown to this browser, or no key at all: it is checked here
  }
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
}
