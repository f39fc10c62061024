/**
 * Finds the messages and identifiers of the program in its sources, which the documents must
 * explain.
 *
 * A message is an argument of `new EntrypointError(…)`, `log.info(…)` and similar calls
 * ({@linkcode SINKS}), the value of a key such as `message` ({@linkcode KEYS}), or an element
 * of a list of texts ({@linkcode LISTS}). If it is a variable, a parameter or a call, all texts
 * that it can be are found. `${…}` becomes `…`.
 *
 * Names are resolved by file, not by scope. That may find additional texts, but misses none.
 *
 * It works only in `deno test`, because only there `Deno.lint` has a parser.
 *
 * @module
 */

import { join } from "node:path";

/** A message of the program. */
export interface Message {
  /** The text on one line, with `…` for expressions. */
  readonly text: string;
  /** The files that contain it. */
  readonly files: readonly string[];
}

type Node = Deno.lint.Node;
type Call = Deno.lint.CallExpression | Deno.lint.NewExpression;

/** Functions that get a message, and the index of that argument. */
const SINKS: Readonly<Record<string, number>> = {
  EntrypointError: 0,
  ProbeError: 1,
  info: 0,
};

/** Keys of objects whose values are messages. */
const KEYS = ["fault", "message", "phrase", "warning"];

/** Names of lists whose elements are messages. */
const LISTS = ["conflicts", "found", "notices"];

/** Functions whose arguments are reports of success, which need no explanation. */
const SUCCESS_FUNCTIONS = ["ok"];

/** The fewest words of a message, and of a part that replaces a `…` in another message. */
const MIN_WORDS = { whole: 2, part: 3 };

/** An expression, or one element of it if it is an array. */
interface Value {
  readonly node: Node;
  readonly element?: number | undefined;
}

/** The syntax of one file. */
interface Source {
  readonly file: string;
  /** Values of variables and functions by name; the key of an arrow function is its range. */
  readonly values: Map<string, Value[]>;
  /** Functions with a parameter of that name, and the index of the parameter. */
  readonly parameters: Map<
    string,
    { readonly of: string; readonly at: number }[]
  >;
  /** Imported names, and their files. */
  readonly imports: Map<string, string>;
  /** Calls by the name of the function. */
  readonly calls: Map<string, Call[]>;
  /** Expressions that are messages. */
  readonly roots: Node[];
}

/** The text of each file by its path. */
export type Sources = Readonly<Record<string, string>>;

/**
 * Reads the sources in a directory.
 *
 * @param directory The directory.
 * @returns The sources.
 */
export function readSources(directory: string): Sources {
  return Object.fromEntries(
    sourcesBelow(directory).map((file) => [file, Deno.readTextFileSync(file)]),
  );
}

/** An identifier with a dot, or without one as an argument of a function that makes a finding. */
const IDENTIFIER_REGEXP =
  /["`]([a-z][a-z0-9]*\.(?:[a-z]+|\$\{name\}))["`]|\b(?:ok|warning|failed)\(\s*"([a-z0-9]+)"/g;

/**
 * Collects the identifiers of the findings of `app:check`.
 *
 * @param sources All sources.
 * @returns The identifiers, sorted.
 */
export function collectIdentifiers(sources: Sources): readonly string[] {
  const found = new Set<string>();
  const checks = Object.entries(sources).filter(([file]) =>
    file.includes("/check/") || file.endsWith("/commands/check.ts")
  );
  // Checks of a web service give the subject to functions that add the aspect.
  const aspects = checks.flatMap(([, text]) =>
    [...text.matchAll(/`\$\{check\}(\.[a-z]+)`/g)].map(([, aspect = ""]) =>
      aspect
    )
  );
  for (const [, text] of checks) {
    for (const [, dotted, plain = ""] of text.matchAll(IDENTIFIER_REGEXP)) {
      found.add(dotted?.replace("${name}", "NAME") ?? plain);
    }
    for (const [, subject = ""] of text.matchAll(/\bcheck: "([a-z0-9]+)"/g)) {
      for (const aspect of aspects) found.add(subject + aspect);
    }
  }
  return [...found].sort();
}

/**
 * Collects the messages.
 *
 * @param texts The sources.
 * @returns The messages, each text once, sorted by file and text.
 */
export function collectMessages(texts: Sources): readonly Message[] {
  const sources = new Map(
    Object.entries(texts).map(([file, text]) => [file, read(file, text)]),
  );
  const found = new Map<string, Set<string>>();
  const seen = new Set<string>();
  const visit = (
    { node, element }: Value,
    source: Source,
    size: keyof typeof MIN_WORDS,
  ): void => {
    const key = [source.file, node.type, node.range, element, size].join(":");
    if (seen.has(key)) return;
    seen.add(key);
    const text = textOf(node);
    if (text !== undefined && isFindable(text, size)) {
      found.set(text, (found.get(text) ?? new Set()).add(source.file));
    }
    const inner = node.type === "TemplateLiteral" ? "part" : size;
    for (const part of partsOf(node, element)) {
      visit({ node: part, element }, source, inner);
    }
    for (const name of namesOf(node)) {
      const places = [source, sources.get(source.imports.get(name) ?? "")];
      for (const place of places) {
        for (const value of place?.values.get(name) ?? []) {
          if (place === undefined) continue;
          visit({ ...value, element: value.element ?? element }, place, size);
        }
      }
      for (const { of, at } of source.parameters.get(name) ?? []) {
        for (const caller of sources.values()) {
          const knows = caller === source ||
            caller.imports.get(of) === source.file;
          for (const call of knows ? caller.calls.get(of) ?? [] : []) {
            const given = call.arguments[at];
            if (given !== undefined) visit({ node: given }, caller, size);
          }
        }
      }
    }
  };
  for (const source of sources.values()) {
    for (const node of source.roots) visit({ node }, source, "whole");
  }
  return [...found].map(([text, files]) => ({ text, files: [...files].sort() }))
    .sort((a, b) =>
      `${a.files[0]} ${a.text}`.localeCompare(`${b.files[0]} ${b.text}`)
    );
}

function sourcesBelow(directory: string): string[] {
  return [...Deno.readDirSync(directory)].flatMap(({ name, isDirectory }) => {
    const path = join(directory, name);
    if (isDirectory) return sourcesBelow(path);
    return name.endsWith(".ts") ? [path] : [];
  }).sort();
}

function read(file: string, text: string): Source {
  const source: Source = {
    file,
    values: new Map(),
    parameters: new Map(),
    imports: new Map(),
    calls: new Map(),
    roots: [],
  };
  const { values, parameters, imports, calls, roots } = source;
  const call = (node: Call): void => {
    const { callee, arguments: given } = node;
    const object = callee.type === "MemberExpression"
      ? callee.object
      : undefined;
    const [name] = namesOf(
      callee.type === "MemberExpression" ? callee.property : callee,
    );
    if (name === undefined) return;
    const at = SINKS[name];
    const argument = at === undefined ? undefined : given[at];
    if (argument !== undefined) roots.push(argument);
    if (object === undefined) {
      if (!SUCCESS_FUNCTIONS.includes(name)) add(calls, name, node);
    } else if (name === "push" && LISTS.includes(namesOf(object)[0] ?? "")) {
      roots.push(...given);
    }
  };
  Deno.lint.runPlugin(
    {
      name: "messages",
      rules: {
        collect: {
          create: () => ({
            ImportDeclaration(node) {
              for (const { local } of node.specifiers) {
                imports.set(local.name, join(file, "..", node.source.value));
              }
            },
            VariableDeclarator({ id, init }) {
              if (init === null) return;
              if (id.type === "Identifier") {
                add(values, id.name, { node: init });
              }
              if (id.type !== "ArrayPattern") return;
              for (const [element, part] of id.elements.entries()) {
                if (part?.type !== "Identifier") continue;
                add(values, part.name, { node: init, element });
              }
            },
            FunctionDeclaration({ id, params }) {
              for (const [at, parameter] of params.entries()) {
                if (parameter.type !== "Identifier" || id === null) continue;
                add(parameters, parameter.name, { of: id.name, at });
              }
            },
            ReturnStatement(node) {
              const name = nameOfFunction(node);
              if (node.argument === null || name === undefined) return;
              add(values, name, { node: node.argument });
            },
            NewExpression: call,
            CallExpression: call,
            Property({ key, value }) {
              const name = namesOf(key)[0] ?? "";
              if ([...KEYS, ...LISTS].includes(name)) roots.push(value);
            },
          }),
        },
      },
    },
    file,
    text,
  );
  return source;
}

function add<T>(map: Map<string, T[]>, name: string, value: T): void {
  map.set(name, [...map.get(name) ?? [], value]);
}

/** The expressions that a node may evaluate to, or that it contains. */
function partsOf(node: Node, element: number | undefined): readonly Node[] {
  switch (node.type) {
    case "ConditionalExpression":
      return [node.consequent, node.alternate];
    case "LogicalExpression":
      return [node.left, node.right];
    case "TemplateLiteral":
      return node.expressions;
    case "ArrayExpression":
      // In a list of tuples, one element of each tuple counts.
      return element === undefined ||
          node.elements.every(({ type }) => type === "ArrayExpression")
        ? node.elements
        : node.elements.slice(element, element + 1);
    case "CallExpression":
      return node.callee.type === "MemberExpression" &&
          namesOf(node.callee.property)[0] === "find"
        ? [node.callee.object]
        : [];
    case "SpreadElement":
    case "AwaitExpression":
      return [node.argument];
    case "ArrowFunctionExpression":
      return [node.body];
    case "ChainExpression":
      return [node.expression];
    case "MemberExpression":
      return node.computed ? [node.object] : [];
    case "ObjectExpression":
      // The message of an object with such a key is found by the key.
      return node.properties.some((property) =>
          property.type === "Property" &&
          KEYS.includes(namesOf(property.key)[0] ?? "")
        )
        ? []
        : node.properties.map((property) =>
          property.type === "Property" ? property.value : property
        );
    default:
      return [];
  }
}

/** The name of a variable or of a called function. */
function namesOf(node: Node): string[] {
  switch (node.type) {
    case "Identifier":
      return [node.name];
    case "ArrowFunctionExpression":
      return [node.range.join()];
    case "CallExpression":
      return namesOf(node.callee);
    default:
      return [];
  }
}

/** The name of the function that contains a statement. */
function nameOfFunction(
  statement: Deno.lint.ReturnStatement,
): string | undefined {
  let node: unknown = statement.parent;
  while (isNode(node)) {
    if (node.type === "FunctionDeclaration") return node.id?.name;
    if (node.type === "ArrowFunctionExpression") return node.range.join();
    node = "parent" in node ? node.parent : undefined;
  }
  return undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}

/** The text of a literal on one line; `undefined` for other nodes. */
function textOf(node: Node): string | undefined {
  const text = node.type === "Literal" && typeof node.value === "string"
    ? node.value
    : node.type === "TemplateLiteral"
    ? node.quasis.map(({ cooked }) => cooked).join("…")
    : undefined;
  return text?.replace(/\s+/g, " ").replace(/…+/g, "…").trim();
}

function isFindable(text: string, size: keyof typeof MIN_WORDS): boolean {
  // Names of variables, commands and files may have several words, but no space.
  const words = text.match(/[A-Za-z]{2,}/g) ?? [];
  return words.length >= MIN_WORDS[size] && text.includes(" ");
}
