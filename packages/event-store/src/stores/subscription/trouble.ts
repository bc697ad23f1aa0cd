import type { EventStoreError } from "../../core/errors.js";
import { emitWarning } from "../../system/warning.js";

/** What is said of trouble when nobody else wants to say it. */
export function warnOfTrouble(error: EventStoreError): void {
  emitWarning({ code: "SUBSCRIPTION_TROUBLED", message: `${error.message}; a subscription waits for it to pass` });
}
