/** Whose token it is. */
export interface Identity {
  readonly token: string;
  /** `system:serviceaccount:NAMESPACE:NAME`, for instance. */
  readonly user: string;
  readonly groups: readonly string[];
}

/** The bearer tokens that the server takes. May be changed while it runs. */
export class Tokens {
  readonly #identities = new Map<string, Identity>();

  /** Default user: `test`. */
  add(token: string, user = "test", groups: readonly string[] = ["system:authenticated"]): void {
    this.#identities.set(token, { token, user, groups });
  }

  /** From now on requests with it are answered with 401; open watches go on, as on real servers. */
  revoke(token: string): void {
    this.#identities.delete(token);
  }

  /** The same user with another token. @throws Error when there is no such token */
  rotate(from: string, to: string): void {
    const identity = this.#identities.get(from);
    if (identity === undefined) throw new Error("no such token");
    this.#identities.delete(from);
    this.#identities.set(to, { ...identity, token: to });
  }

  find(authorization: string): Identity | undefined {
    return this.#identities.get(/^Bearer (.+)$/i.exec(authorization)?.[1] ?? "");
  }
}
