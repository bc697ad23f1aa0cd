import { FAULTS, type Fault } from "../../src/testing/s3-emulator/index.js";

/** Every way in which a put can fail without telling, by what became of it. */
export const UNTOLD: Readonly<Record<"not persisted" | "persisted" | "persisted late", readonly Fault[]>> = {
  "not persisted": [
    FAULTS.dropRequest,
    FAULTS.resetBefore,
    FAULTS.hang,
    FAULTS.conflict,
    FAULTS.internalError,
    FAULTS.slowDown(1),
    FAULTS.tooManyRequests(1),
    FAULTS.status(408, "RequestTimeout"),
    FAULTS.status(502, "BadGateway"),
  ],
  persisted: [
    FAULTS.dropAnswer,
    FAULTS.resetAfter,
    FAULTS.hangAfterCommit,
    FAULTS.conflictAfterCommit,
    FAULTS.internalErrorAfterCommit,
    FAULTS.truncated,
    FAULTS.status(503, "SlowDown", "once"),
    FAULTS.status(429, "TooManyRequests", "once"),
  ],
  "persisted late": [
    FAULTS.applyLate,
    { name: "conflict, then applied", apply: "late", answer: FAULTS.conflict.answer },
  ],
};

/** The server refuses: nothing is stored, and trying again is no use. */
export const REFUSALS: readonly (readonly [fault: Fault, code: string])[] = [
  [FAULTS.accessDenied, "ACCESS_DENIED"],
  [FAULTS.noSuchBucket, "BUCKET_NOT_FOUND"],
  [FAULTS.status(400, "InvalidRequest"), "REQUEST_REFUSED"],
  [FAULTS.status(501, "NotImplemented"), "UNSAFE_BACKEND"],
];
