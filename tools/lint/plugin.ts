/**
 * The project's own lint rules. `deno lint` loads them by deno.json.
 *
 * - `portable`: code that also runs in the simulator gets clock, random source and task queue from a Host.
 * - `layers`: dependencies point one way; see layers.ts.
 * - `explicit-exports`: a face lists its names.
 * - `hash-private`: `#private` fields, no `private` or `protected`.
 * - `prose`: no sentence of a comment begins like "Who …", "What …" or "Whether …".
 * - `error-messages`: messages have Go's form, lower case and without a full stop.
 */

import { forbiddenImport, isIn } from "./layers.ts";
import { sentencesOf } from "./prose.ts";

/** The files that `portable` applies to. */
const PORTABLE = ["lib/", "simulation/", "storage/", "transport/memory.ts"];
/** Files that bind the project to a machine, by path or by its beginning. */
const EXEMPT = ["lib/host.ts", "storage/file/node_", "storage/file/deno_writer.ts", "storage/indexeddb/"];

const CLOCK = "time comes from Host.clock";
const RANDOM = "chance comes from Host.random";

/** Globals that depend on the machine, with the reason. */
const GLOBALS = new Map(
  Object.entries({
    [CLOCK]: [
      "Date",
      "performance",
      "setTimeout",
      "setInterval",
      "clearTimeout",
      "clearInterval",
      "requestAnimationFrame",
    ],
    [RANDOM]: ["crypto"],
    "tasks go through Host.enqueue": ["setImmediate", "MessageChannel"],
    "this runs in every runtime, the browser included": ["Deno", "Bun", "process", "Buffer", "require"],
    "it reaches what this rule forbids by another name": ["globalThis", "self", "window"],
    "when it is collected differs from run to run": ["WeakRef", "FinalizationRegistry"],
    "its order of events differs between engines": ["TransformStream"],
    "it depends on the machine's language": ["Intl"],
  }).flatMap(([why, names]) => names.map((name) => [name, why] as const)),
);

/** The functions of Math that are exact for integers in every engine. */
const EXACT_MATH = new Set(["abs", "ceil", "clz32", "floor", "imul", "max", "min", "round", "sign", "trunc"]);

/** Returns the path of `filename` in the project. */
function projectPath(filename: string): string {
  const root = decodeURIComponent(new URL("../../", import.meta.url).pathname);
  const path = filename.replaceAll("\\", "/");
  return path.startsWith(root) ? path.slice(root.length) : path;
}

/** Reports whether an identifier refers to a variable, and is not the name of a property, a member or a label. */
function isReference(node: Deno.lint.Identifier): boolean {
  const { parent } = node;
  if (parent.type === "MemberExpression") return parent.object === node || parent.computed;
  if (parent.type === "Property") return parent.value === node || parent.computed;
  // Members of classes and interfaces have keys, too.
  return !("key" in parent) || parent.key !== node;
}

/** Reports whether an identifier is a name that the file itself declares. */
function isDeclaration(node: Deno.lint.Identifier): boolean {
  const parent = node.parent;
  switch (parent.type) {
    case "VariableDeclarator":
      return parent.id === node;
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      return parent.params.some((param) => param === node);
    case "ImportSpecifier":
      return parent.local === node;
    case "Property":
      return parent.parent.type === "ObjectPattern" && parent.value === node;
    default:
      return false;
  }
}

const portable: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const path = projectPath(context.filename);
    if (!PORTABLE.some((area) => isIn(path, area)) || EXEMPT.some((start) => path.startsWith(start))) return {};
    const report = (node: Deno.lint.Node, what: string, why: string): void =>
      context.report({ node, message: `${what} does not belong here: ${why}` });
    // A name that the file declares anywhere counts as its own everywhere: this rule ignores scopes.
    const declared = new Set<string>();
    const used: Deno.lint.Identifier[] = [];
    return {
      Identifier(node): void {
        if (isDeclaration(node)) declared.add(node.name);
        else if (node.name === "Math" && node.parent.type !== "MemberExpression") {
          report(node, "Math as a whole", "only its integer functions are the same everywhere");
        } else if (GLOBALS.has(node.name) && isReference(node)) used.push(node);
      },
      "Program:exit"(): void {
        for (const node of used) {
          if (!declared.has(node.name)) report(node, node.name, GLOBALS.get(node.name) ?? "");
        }
      },
      MemberExpression(node): void {
        const property = !node.computed && node.property.type === "Identifier" ? node.property.name : "";
        const object = node.object.type === "Identifier" ? node.object.name : "";
        if (object === "Math" && !EXACT_MATH.has(property)) {
          report(
            node,
            `Math.${property}`,
            property === "random" ? RANDOM : "only integer arithmetic is the same everywhere",
          );
        } else if (object === "AbortSignal" && property === "timeout") report(node, "AbortSignal.timeout", CLOCK);
        else if (property.startsWith("toLocale") || property === "localeCompare") {
          report(node, property, "it depends on the machine's language");
        }
      },
      VariableDeclaration(node): void {
        if (node.kind === "await using") report(node, "await using", "its lowered form differs between engines");
      },
    };
  },
};

const layers: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const path = projectPath(context.filename);
    const check = (node: Deno.lint.Node, named: Deno.lint.Node | null): void => {
      const source = named?.type === "TSLiteralType" ? named.literal : named;
      if (source?.type !== "Literal" || typeof source.value !== "string") {
        if (node.type === "ImportExpression" && forbiddenImport(path, "node:computed") !== null) {
          context.report({ node, message: "an import with a computed name does not belong here" });
        }
        return;
      }
      const message = forbiddenImport(path, source.value);
      if (message !== null) context.report({ node, message });
    };
    return {
      ImportDeclaration: (node) => check(node, node.source),
      ExportNamedDeclaration: (node) => check(node, node.source),
      ExportAllDeclaration: (node) => check(node, node.source),
      ImportExpression: (node) => check(node, node.source),
      TSImportType: (node) => check(node, node.argument),
    };
  },
};

const explicitExports: Deno.lint.Rule = {
  create: (context) => ({
    ExportAllDeclaration: (node) =>
      context.report({ node, message: "list the names: `export *` hides what a face exports" }),
  }),
};

const hashPrivate: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const check = (node: Deno.lint.PropertyDefinition | Deno.lint.MethodDefinition): void => {
      // There is no other way to hide a constructor.
      const isConstructor = node.type === "MethodDefinition" && node.kind === "constructor";
      if (node.accessibility !== undefined && !isConstructor) {
        context.report({ node, message: `write #name instead of \`${node.accessibility}\`, or nothing for public` });
      }
    };
    return { PropertyDefinition: check, MethodDefinition: check };
  },
};

/** Beginnings of sentences that a native reader stumbles over: a question in place of a noun or a verb. */
const FOREIGN = /^["'(`*_]*(who|what|whom|whose|whoever|whether|told of)\b/i;

const prose: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    return {
      Program(node): void {
        const lines = context.sourceCode.text.split("\n");
        for (const { line } of sentencesOf(context.sourceCode).filter(({ text }) => FOREIGN.test(text))) {
          const end = lines.slice(0, line).join("\n").length;
          const range: [number, number] = [end - String(lines[line - 1]).length, end];
          context.report({ node, range, message: "begin with a verb in the third person, or with a noun" });
        }
      },
    };
  },
};

/** The position of the message among the arguments of a constructor. */
const MESSAGES = new Map([["RaftError", 1], ["StorageError", 0]]);
/** Names that messages may begin with in upper case. */
const NAMES = /^(Bun|Chromium|Connect|Deno|Linux|Node|Raft|Web Locks|Windows)\b/;

const errorMessages: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    return {
      NewExpression(node): void {
        const position = node.callee.type === "Identifier" ? MESSAGES.get(node.callee.name) : undefined;
        const message = position === undefined ? undefined : node.arguments[position];
        if (message?.type !== "Literal" && message?.type !== "TemplateLiteral") return;
        const text = context.sourceCode.getText(message).slice(1, -1);
        if (/^[A-Z][a-z']* /.test(text) && !NAMES.test(text)) {
          context.report({ node: message, message: "an error message begins in lower case" });
        }
        if (text.endsWith(".")) context.report({ node: message, message: "an error message has no full stop" });
      },
    };
  },
};

const plugin: Deno.lint.Plugin = {
  name: "raft",
  rules: {
    portable,
    layers,
    "explicit-exports": explicitExports,
    "hash-private": hashPrivate,
    prose,
    "error-messages": errorMessages,
  },
};

export default plugin;
