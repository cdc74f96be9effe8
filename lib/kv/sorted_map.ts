/**
 * A sorted map whose copies are free: a B+ tree whose nodes are shared between
 * copies, and copied when one of them first changes.
 *
 * @module
 */

/** Keys of a node, at most. */
const NODE_MAX = 64;
/** A node with fewer is merged into a neighbour where both fit into one. */
const NODE_MIN = NODE_MAX / 4;

/** The owner that may change a node; compared by identity. */
type Owner = Record<never, never>;

/** A node that has an item for each of its keys. */
interface Keyed<Item> {
  readonly owner: Owner;
  readonly keys: string[];
  readonly items: Item[];
}

/** A node whose items are values. */
interface Leaf<V> extends Keyed<V> {
  readonly isLeaf: true;
}

/** A node whose items are nodes. Invariant: `keys[i]` <= every key below `items[i]` < `keys[i + 1]`. */
interface Branch<V> extends Keyed<Node<V>> {
  readonly isLeaf: false;
}

type Node<V> = Leaf<V> | Branch<V>;

/** Maps strings to values (not `undefined`), in the order of the strings' code units. */
export class SortedMap<V> {
  #owner: Owner = {};
  #root: Node<V> = { owner: this.#owner, isLeaf: true, keys: [], items: [] };
  #size = 0;
  /** The value that the insertion under way has replaced. */
  #replaced: V | undefined;

  /** How many keys there are. */
  get size(): number {
    return this.#size;
  }

  /** An independent copy, made in constant time. */
  clone(): SortedMap<V> {
    const copy = new SortedMap<V>();
    copy.#root = this.#root;
    copy.#size = this.#size;
    // From here on neither owns the nodes that both reach.
    this.#owner = {};
    return copy;
  }

  /** The value of `key`. */
  get(key: string): V | undefined {
    let node = this.#root;
    while (!node.isLeaf) node = node.items[childAt(node.keys, key)]!;
    const at = lowerBound(node.keys, key);
    return node.keys[at] === key ? node.items[at] : undefined;
  }

  /** Sets the value of `key`; returns the one before. */
  set(key: string, value: V): V | undefined {
    const root = own(this.#root, this.#owner);
    this.#root = root;
    this.#replaced = undefined;
    const right = this.#insert(root, key, value);
    if (right !== null) {
      const keys = [root.keys[0]!, right.keys[0]!];
      this.#root = { owner: this.#owner, isLeaf: false, keys, items: [root, right] };
    }
    const replaced = this.#replaced;
    this.#replaced = undefined;
    if (replaced === undefined) this.#size++;
    return replaced;
  }

  /** Removes `key`; returns its value. */
  delete(key: string): V | undefined {
    const previous = this.get(key);
    if (previous === undefined) return undefined;
    let root = own(this.#root, this.#owner);
    this.#remove(root, key);
    while (!root.isLeaf && root.items.length === 1) root = root.items[0]!;
    this.#root = root;
    this.#size--;
    return previous;
  }

  /** Calls `visit` for each key from `from` on, in order, until it returns false. The map must not change meanwhile. */
  scan(from: string, visit: (key: string, value: V) => boolean): void {
    scanNode(this.#root, from, visit);
  }

  /** Inserts below `node`, which is owned. Returns the node that was cut off at its right; `null` if none was. */
  #insert(node: Node<V>, key: string, value: V): Node<V> | null {
    if (node.isLeaf) {
      const at = lowerBound(node.keys, key);
      if (node.keys[at] === key) {
        this.#replaced = node.items[at];
        node.items[at] = value;
        return null;
      }
      insertAt(node.keys, at, key);
      insertAt(node.items, at, value);
      return split(node, at);
    }
    const at = childAt(node.keys, key);
    if (key < node.keys[at]!) node.keys[at] = key;
    const right = this.#insert(ownChild(node, at, this.#owner), key, value);
    if (right === null) return null;
    insertAt(node.keys, at + 1, right.keys[0]!);
    insertAt<Node<V>>(node.items, at + 1, right);
    return split(node, at + 1);
  }

  /** Removes `key`, which is there, below `node`, which is owned. */
  #remove(node: Node<V>, key: string): void {
    if (node.isLeaf) {
      const at = lowerBound(node.keys, key);
      node.keys.splice(at, 1);
      node.items.splice(at, 1);
      return;
    }
    const at = childAt(node.keys, key);
    const child = ownChild(node, at, this.#owner);
    this.#remove(child, key);
    if (child.keys.length >= NODE_MIN) return;
    if (at > 0 && fits(node, at - 1)) mergeChildren(node, at - 1, this.#owner);
    else if (at < node.items.length - 1 && fits(node, at)) mergeChildren(node, at, this.#owner);
  }
}

/** Returns the first place in `keys` that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Returns the place of the child of a branch with these `keys` that has, or would get, `key`. */
function childAt(keys: readonly string[], key: string): number {
  const at = lowerBound(keys, key);
  return keys[at] === key ? at : Math.max(0, at - 1);
}

/** `splice` by hand: faster for short arrays. */
function insertAt<T>(array: T[], at: number, item: T): void {
  array.push(item);
  for (let i = array.length - 1; i > at; i--) array[i] = array[i - 1]!;
  array[at] = item;
}

function own<V>(node: Node<V>, owner: Owner): Node<V> {
  if (node.owner === owner) return node;
  return { owner, isLeaf: node.isLeaf, keys: node.keys.slice(), items: node.items.slice() } as Node<V>;
}

function ownChild<V>(branch: Branch<V>, at: number, owner: Owner): Node<V> {
  return branch.items[at] = own(branch.items[at]!, owner);
}

/**
 * Cuts off and returns the right part of a node that has become too large; `null`
 * if it has not. Keys inserted in order leave full nodes behind, others halves.
 */
function split<V>(node: Node<V>, inserted: number): Node<V> | null {
  const { length } = node.keys;
  if (length <= NODE_MAX) return null;
  const cut = inserted === length - 1 ? inserted : length >>> 1;
  const { owner, isLeaf } = node;
  return { owner, isLeaf, keys: node.keys.splice(cut), items: node.items.splice(cut) } as Node<V>;
}

/** Reports whether the children at `at` and `at + 1` fit into one node. */
function fits<V>({ items }: Branch<V>, at: number): boolean {
  return items[at]!.keys.length + items[at + 1]!.keys.length <= NODE_MAX;
}

/** Moves what the child at `at + 1` has to the one at `at`. */
function mergeChildren<V>(branch: Branch<V>, at: number, owner: Owner): void {
  const left: Keyed<unknown> = ownChild(branch, at, owner);
  const right = branch.items[at + 1]!;
  left.keys.push(...right.keys);
  left.items.push(...right.items);
  branch.keys.splice(at + 1, 1);
  branch.items.splice(at + 1, 1);
}

function scanNode<V>(node: Node<V>, from: string, visit: (key: string, value: V) => boolean): boolean {
  if (node.isLeaf) {
    for (let i = lowerBound(node.keys, from); i < node.keys.length; i++) {
      if (!visit(node.keys[i]!, node.items[i]!)) return false;
    }
    return true;
  }
  for (let i = childAt(node.keys, from); i < node.items.length; i++) {
    if (!scanNode(node.items[i]!, from, visit)) return false;
  }
  return true;
}
