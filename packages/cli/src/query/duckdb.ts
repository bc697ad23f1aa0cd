import type * as DuckDb from "@duckdb/node-api";
import type {
  DuckDBConnection,
  DuckDBExtractedStatements,
  DuckDBInstance,
  DuckDBResult,
  StatementType,
} from "@duckdb/node-api";
import { CliError } from "../exit.js";
import { COLUMNS } from "../export/columns.js";

type Package = typeof DuckDb;

/** What this was tested with. */
export const INSTALL: string = "npm install @duckdb/node-api@1.5.6-r.1";

/** @throws CliError PACKAGE_MISSING with the command that installs it */
export async function loadDuckDb(): Promise<Package> {
  try {
    return await import("@duckdb/node-api");
  } catch (error) {
    throw new CliError("PACKAGE_MISSING", "rynxs query needs the package @duckdb/node-api, which cannot be loaded", {
      hint: `${INSTALL} (with -g where rynxs was installed with -g)`,
      cause: error,
    });
  }
}

/** Parquet files, and which of their rows are meant. */
export interface Events {
  readonly files: readonly string[];
  /** A condition in SQL. */
  readonly where: string;
}

/** A DuckDB of this process's own, in memory, that reads Parquet files as the view `events` and fetches nothing from anywhere. */
export class Database {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  /** The kind of all statements that only read: SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE. */
  readonly #select: StatementType;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, select: StatementType) {
    this.#instance = instance;
    this.#connection = connection;
    this.#select = select;
  }

  /** `scratch` is where it puts what does not fit into memory. */
  static async open(duckdb: Package, { files, where }: Events, scratch: string): Promise<Database> {
    const { DuckDBInstance, StatementType } = duckdb;
    const instance = await DuckDBInstance.create(":memory:", {
      temp_directory: scratch,
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
    });
    const connection = await instance.connect();
    // times are shown in UTC wherever this runs: by DuckDB, and by its package
    await connection.run("set TimeZone = 'UTC'");
    duckdb.DuckDBTimestampTZValue.timezoneOffsetInMinutes = 0;
    await connection.run(`create view events as ${files.length === 0 ? NO_EVENTS : readParquet(files)} where ${where}`);
    return new Database(instance, connection, StatementType.SELECT);
  }

  /**
   * Runs the one statement that `sql` is, if it only reads. Rows come as they are fetched. `stop` interrupts it.
   * @throws CliError INVALID_CONFIG with DuckDB's own words
   */
  async run(sql: string, stop: AbortSignal): Promise<DuckDBResult> {
    const interrupt = (): void => {
      this.#connection.interrupt();
    };
    stop.addEventListener("abort", interrupt);
    try {
      const statements = await this.#extract(sql);
      if (statements.count !== 1)
        throw new CliError("INVALID_CONFIG", `one statement is taken, not ${String(statements.count)}`);
      const statement = await statements.prepare(0);
      // not EXPLAIN either: with ANALYZE it does what it explains
      if (statement.statementType !== this.#select) throw notReading();
      return await statement.stream();
    } catch (error) {
      throw error instanceof CliError ? error : sqlError(error, stop);
    } finally {
      stop.removeEventListener("abort", interrupt);
    }
  }

  async #extract(sql: string): Promise<DuckDBExtractedStatements> {
    try {
      return await this.#connection.extractStatements(sql);
    } catch (error) {
      // what the package says of a text without any statement
      const none = error instanceof Error && error.message === "Error in native callback";
      throw none ? new CliError("INVALID_CONFIG", "one statement is taken, not 0", { cause: error }) : error;
    }
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}

function notReading(): CliError {
  return new CliError("INVALID_CONFIG", "only statements that read are taken", {
    hint: "begin with select, with, from, describe or summarize",
  });
}

/** What DuckDB says, as an error of ours. */
export function sqlError(error: unknown, stop: AbortSignal): CliError {
  if (stop.aborted) return new CliError("ABORTED", "the query was stopped", { cause: error });
  const message = error instanceof Error ? error.message : String(error);
  return new CliError("INVALID_CONFIG", message.trimEnd(), {
    hint: 'the table is events; its columns: rynxs query "describe events"',
    cause: error,
  });
}

function readParquet(files: readonly string[]): string {
  return `select * from read_parquet([${files.map(quote).join(",")}], hive_partitioning = false)`;
}

/** A text as SQL has it. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

const SQL_TYPES = { bigint: "bigint", string: "varchar", timestamp: "timestamp" } as const;
const NO_EVENTS = `select * from (select ${COLUMNS.map(({ name, type }) => `null::${SQL_TYPES[type]} as "${name}"`).join(", ")} limit 0)`;
