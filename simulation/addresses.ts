/**
 * The addresses of machines. A machine may restart at another one; then no message
 * reaches it at the former one, which another machine may get.
 */

export class Addresses {
  /** The machine at each address. */
  readonly #present = new Map<string, string>();
  /** The machine that was last at an address. */
  readonly #last = new Map<string, string>();
  /** Former addresses that no membership has. */
  readonly #vacant: string[] = [];
  #made = 0;

  /** @param names the machines; each begins at the address of its name */
  constructor(names: readonly string[]) {
    for (const name of names) this.#settle(name, name);
  }

  /** Returns the address of a machine. */
  of(name: string): string {
    for (const [address, owner] of this.#present) if (owner === name) return address;
    throw new RangeError(`there is no machine ${name}`);
  }

  /**
   * Returns the machine at an address; `null` if none is there.
   *
   * @param forwards set if a former address still leads to its machine, unless another one has it
   */
  machineAt(address: string, forwards: boolean): string | null {
    return this.#present.get(address) ?? (forwards ? this.#last.get(address) ?? null : null);
  }

  /** Moves a machine to a new address, or to one that is `vacant`, and returns its former one. */
  move(name: string, vacant: boolean): string {
    const former = this.of(name);
    const address = (vacant ? this.#vacant.shift() : undefined) ?? `${name}@${++this.#made}`;
    this.#present.delete(former);
    this.#settle(name, address);
    return former;
  }

  /** Lets other machines have an address, which the membership no longer has: it leads to its former machine no more. */
  vacate(address: string): void {
    if (this.#present.has(address)) return;
    this.#last.delete(address);
    this.#vacant.push(address);
  }

  #settle(name: string, address: string): void {
    this.#present.set(address, name);
    this.#last.set(address, name);
  }
}
