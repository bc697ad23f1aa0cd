// The events of the long logs: orders of a shop, of which the stored record, hashes included, has about 370 bytes. Ids, amounts
// and times are as hard to compress as such things are: they repeat no pattern, and every request has an id of 64 bits. Nothing is
// random, so that two runs write the same.

const TYPES = ["OrderPlaced", "ItemAdded", "ItemAdded", "ItemRemoved", "PaymentReceived", "OrderShipped"];
const CURRENCIES = ["EUR", "USD", "GBP"];
const START = 1767225600000;
/** A prime, so that turns of it come to every aggregate. */
const STRIDE = 7919;

/** 32 bits that look like chance (the finaliser of MurmurHash3). */
function mixed(i, salt) {
  let x = (i + Math.imul(salt, 0x9e3779b9)) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

const hex = (i, salt) => mixed(i, salt).toString(16).padStart(8, "0");

/**
 * Aggregates take turns: each has one event among any so many in a row, the worst case for reading one of them.
 * @param {number} i @param {number} aggregates how many
 */
export function orderAt(i, aggregates) {
  return {
    type: TYPES[mixed(i, 1) % TYPES.length],
    aggregateId: `order-${String((i * STRIDE) % aggregates).padStart(6, "0")}`,
    ts: START + i * 800 + (mixed(i, 2) % 800),
    payload: {
      item: 1000 + (mixed(i, 3) % 9000),
      amount: mixed(i, 4) % 50_000,
      currency: CURRENCIES[mixed(i, 8) % CURRENCIES.length],
      count: 1 + (mixed(i, 9) % 12),
    },
    meta: { actor: `user-${mixed(i, 5) % 5000}`, request: hex(i, 6) + hex(i, 7) },
  };
}
