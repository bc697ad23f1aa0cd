import type { JsonText, NewEvent, RecordTexts } from "@rynxs/event-store";

/** An event that a line became. */
export interface MappedEvent {
  readonly type: string;
  readonly aggregateId: string;
  /** Undefined: the time of the import. */
  readonly ts: number | bigint | undefined;
  readonly payload: JsonText;
  readonly meta: JsonText;
}

/** What becomes of a line: an event, or null for one that is left out. @throws InvalidEventError with the path in the line */
export type Mapper = (line: JsonText) => MappedEvent | null;

export function newEvent(event: MappedEvent, importTime: number): NewEvent {
  return { ...event, ts: event.ts ?? importTime };
}

/** Whether the log's record is what `event` would have become. */
export function isSame(event: MappedEvent, importTime: number, record: RecordTexts): boolean {
  return (
    event.type === record.type &&
    event.aggregateId === record.aggregateId &&
    String(event.ts ?? importTime) === record.ts &&
    event.payload.canonical === record.payload &&
    event.meta.canonical === record.meta
  );
}

export function toInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
