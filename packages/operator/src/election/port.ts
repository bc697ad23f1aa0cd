/** The right to append, for as long as it lasts. */
export interface Leadership {
  /** Who leads: unique to this process. */
  readonly holder: string;
  /** What was won: `namespace/name` of the Lease. */
  readonly lease: string;
  /** How often the Lease has changed hands, as it says itself; starts anew when the Lease is deleted, so it fences nothing. */
  readonly transitions: number;
  /** Aborts as soon as it is lost. */
  readonly signal: AbortSignal;
  /** Asked right before each write: false from the moment at which another process may take over, even if nothing has noticed yet. */
  valid(): boolean;
}

/** This process leads no more. Nothing may be appended any longer. */
export class LeadershipLostError extends Error {
  /** `lease`: it was not renewed in time. `log`: another leader has been elected in the log. */
  readonly reason: "lease" | "log";

  constructor(reason: "lease" | "log", message: string) {
    super(message);
    this.name = "LeadershipLostError";
    this.reason = reason;
  }
}
