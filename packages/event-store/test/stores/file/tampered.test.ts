import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { VerificationError } from "../../../src/core/errors.js";
import { FileEventStore } from "../../../src/stores/file/file-event-store.js";
import type { EventStore } from "../../../src/stores/port.js";
import { vectorJson, VECTORS } from "../../core/vectors.js";

const scratch = mkdtempSync(join(tmpdir(), "rynxs-tampered-"));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const manifest = vectorJson<{ file: string; expect: string; seq: number }[]>("tampered/manifest.json");

async function faultOf(records: AsyncIterable<{ seq: number }>): Promise<{ count: number; error?: VerificationError }> {
  let count = 0;
  try {
    for await (const { seq } of records) expect(seq).toBe(count++);
    return { count };
  } catch (error) {
    if (error instanceof VerificationError) return { count, error };
    throw error;
  }
}

describe.each(manifest.map((m) => [m.file, m.expect, m.seq] as const))(
  "tampered file %s: %s at %i",
  (file, expected, seq) => {
    const open = (): Promise<EventStore> => {
      const path = join(scratch, file);
      copyFileSync(fileURLToPath(new URL(`tampered/${file}`, VECTORS)), path);
      return FileEventStore.open({ path, mustExist: true, onWarning: () => undefined });
    };

    it("read, readRecords and verify give one verdict", async () => {
      const store = await open();
      const report = await store.verify();
      for (const { count, error } of [await faultOf(store.read()), await faultOf(store.readRecords())]) {
        expect(count).toBe(report.events);
        expect(error?.code).toBe(report.error?.code);
        expect(error?.expected).toBe(report.error?.expected);
        expect(error?.actual).toBe(report.error?.actual);
      }
      expect(report.valid).toBe(expected === "valid");
      expect(report.events).toBe(expected === "valid" ? seq + 1 : seq);
      if (expected !== "valid")
        expect(report.error).toMatchObject({ code: expected.toUpperCase().replaceAll("-", "_"), seq });
    });
  },
);
