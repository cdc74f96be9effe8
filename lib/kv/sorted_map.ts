/**
 * A sorted map whose copies are free: a B+ tree whose nodes are shared between
 * copies, and copied when one of them first changes.
 *
 * @module
 */

/** Entries of a leaf, and children of a branch, at most. */
const NODE_MAX = 64;
/** A node with fewer is merged into a neighbour where both fit into one. */
const NODE_MIN = NODE_MAX / 4;

/** The owner that may change a node; compared by identity. */
type Owner = Record<never, never>;

interface Leaf<V> {
  readonly owner: Owner;
  readonly keys: string[];
  readonly values: V[];
  readonly children: null;
}

/** Invariant: every key below `children[i]` is < `keys[i]` <= every key below `children[i + 1]`. */
interface Branch<V> {
  readonly owner: Owner;
  readonly keys: string[];
  readonly values: null;
  readonly children: Node<V>[];
}

type Node<V> = Leaf<V> | Branch<V>;

/** A node that was cut off at the right of another, and the least key that may be below it. */
interface Split<V> {
  readonly key: string;
  readonly right: Node<V>;
}

/** Maps strings to values (not `undefined`), in the order of the strings' code units. */
export class SortedMap<V> {
  #owner: Owner = {};
  #root: Node<V> = { owner: this.#owner, keys: [], values: [], children: null };
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
    while (node.children !== null) node = node.children[childAt(node.keys, key)]!;
    const at = lowerBound(node.keys, key);
    return node.keys[at] === key ? node.values[at] : undefined;
  }

  /** Sets the value of `key`; returns the one before. */
  set(key: string, value: V): V | undefined {
    const root = own(this.#root, this.#owner);
    this.#root = root;
    this.#replaced = undefined;
    const split = this.#insert(root, key, value);
    if (split !== null) {
      this.#root = { owner: this.#owner, keys: [split.key], values: null, children: [root, split.right] };
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
    while (root.children !== null && root.children.length === 1) root = root.children[0]!;
    this.#root = root;
    this.#size--;
    return previous;
  }

  /** Calls `visit` for each key from `from` on, in order, until it returns false. The map must not change meanwhile. */
  scan(from: string, visit: (key: string, value: V) => boolean): void {
    scanNode(this.#root, from, visit);
  }

  /** Inserts below `node`, which is owned. */
  #insert(node: Node<V>, key: string, value: V): Split<V> | null {
    if (node.children === null) {
      const at = lowerBound(node.keys, key);
      if (node.keys[at] === key) {
        this.#replaced = node.values[at];
        node.values[at] = value;
        return null;
      }
      insertAt(node.keys, at, key);
      insertAt(node.values, at, value);
      return node.keys.length > NODE_MAX ? splitLeaf(node, at) : null;
    }
    const at = childAt(node.keys, key);
    const split = this.#insert(ownChild(node, at, this.#owner), key, value);
    if (split === null) return null;
    insertAt(node.keys, at, split.key);
    insertAt<Node<V>>(node.children, at + 1, split.right);
    return node.children.length > NODE_MAX ? splitBranch(node, at + 1) : null;
  }

  /** Removes `key`, which is there, below `node`, which is owned. */
  #remove(node: Node<V>, key: string): void {
    if (node.children === null) {
      const at = lowerBound(node.keys, key);
      node.keys.splice(at, 1);
      node.values.splice(at, 1);
      return;
    }
    const at = childAt(node.keys, key);
    const child = ownChild(node, at, this.#owner);
    this.#remove(child, key);
    if (width(child) >= NODE_MIN) return;
    if (at > 0 && fits(node, at - 1)) mergeChildren(node, at - 1, this.#owner);
    else if (at < node.children.length - 1 && fits(node, at)) mergeChildren(node, at, this.#owner);
  }
}

/** The first place in `keys` that is not below `key`. */
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

/** Which child of a branch with these `keys` has `key`. */
function childAt(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** `splice` by hand: faster for short arrays. */
function insertAt<T>(array: T[], at: number, item: T): void {
  array.push(item);
  for (let i = array.length - 1; i > at; i--) array[i] = array[i - 1]!;
  array[at] = item;
}

function own<V>(node: Node<V>, owner: Owner): Node<V> {
  if (node.owner === owner) return node;
  const keys = node.keys.slice();
  return node.children === null
    ? { owner, keys, values: node.values.slice(), children: null }
    : { owner, keys, values: null, children: node.children.slice() };
}

function ownChild<V>(branch: Branch<V>, at: number, owner: Owner): Node<V> {
  return branch.children[at] = own(branch.children[at]!, owner);
}

/** Returns the position of a split: keys inserted in order leave full nodes behind, others halves. */
function cutAt(length: number, inserted: number): number {
  return inserted === length - 1 ? length - 1 : length >>> 1;
}

function splitLeaf<V>(leaf: Leaf<V>, inserted: number): Split<V> {
  const cut = cutAt(leaf.keys.length, inserted);
  const keys = leaf.keys.splice(cut);
  const values = leaf.values.splice(cut);
  return { key: keys[0]!, right: { owner: leaf.owner, keys, values, children: null } };
}

function splitBranch<V>(branch: Branch<V>, inserted: number): Split<V> {
  const cut = cutAt(branch.children.length, inserted);
  const children = branch.children.splice(cut);
  const keys = branch.keys.splice(cut);
  return { key: branch.keys.pop()!, right: { owner: branch.owner, keys, values: null, children } };
}

function width<V>(node: Node<V>): number {
  return node.children === null ? node.keys.length : node.children.length;
}

/** Reports whether the children at `at` and `at + 1` fit into one node. */
function fits<V>(branch: Branch<V>, at: number): boolean {
  return width(branch.children[at]!) + width(branch.children[at + 1]!) <= NODE_MAX;
}

/** Moves what the child at `at + 1` has to the one at `at`. */
function mergeChildren<V>(branch: Branch<V>, at: number, owner: Owner): void {
  const left = ownChild(branch, at, owner);
  const right = branch.children[at + 1]!;
  if (left.children === null) {
    left.keys.push(...right.keys);
    left.values.push(...(right as Leaf<V>).values);
  } else {
    left.keys.push(branch.keys[at]!, ...right.keys);
    left.children.push(...(right as Branch<V>).children);
  }
  branch.keys.splice(at, 1);
  branch.children.splice(at + 1, 1);
}

function scanNode<V>(node: Node<V>, from: string, visit: (key: string, value: V) => boolean): boolean {
  if (node.children === null) {
    for (let i = lowerBound(node.keys, from); i < node.keys.length; i++) {
      if (!visit(node.keys[i]!, node.values[i]!)) return false;
    }
    return true;
  }
  for (let i = childAt(node.keys, from); i < node.children.length; i++) {
    if (!scanNode(node.children[i]!, from, visit)) return false;
  }
  return true;
}
