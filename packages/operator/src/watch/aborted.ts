/** The signal's state now: read as a property it counts as unchanged since the last look. */
export function hasAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
