/**
 * Numbers in canonical form: those of Python's `json.dumps` (docs/SPEC.md, "Canonical JSON").
 */

/** `repr(float)` of Python: shortest digits that round-trip; exponent form below 1e-4 and from 1e16 on. `value` must be finite. */
export function floatRepr(value: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  // toExponential() without an argument gives the shortest round-trip digits, as Python's repr does.
  const [mantissa = "", exponentText = ""] = Math.abs(value).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  const exponent = Number(exponentText);
  return (value < 0 ? "-" : "") + layOut(digits, exponent);
}

/** Digits d₁d₂d₃… mean d₁.d₂d₃… × 10^exponent. */
function layOut(digits: string, exponent: number): string {
  if (exponent < -4 || exponent >= 16) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${digits.charAt(0)}${fraction}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  if (exponent < 0) return `0.${"0".repeat(-exponent - 1)}${digits}`;
  if (digits.length <= exponent + 1) return `${digits.padEnd(exponent + 1, "0")}.0`;
  return `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}

/** Canonical form of a JSON number lexeme; null when it is a float beyond the range of a double (`1e400`). */
export function canonicalNumber(lexeme: string): string | null {
  if (isIntegerLexeme(lexeme)) return lexeme === "-0" ? "0" : lexeme;
  const value = Number(lexeme);
  return Number.isFinite(value) ? floatRepr(value) : null;
}

/** JSON tells integers from floats by their text alone: `1` is one, `1.0` and `1e0` are the other. */
export function isIntegerLexeme(lexeme: string): boolean {
  return /^-?[0-9]+$/.test(lexeme);
}
