/**
 * The project's own rules for `deno lint`: which room may import which, where effects may
 * happen, and how things are named. The tables come first, and the rules use them.
 *
 * @module
 */

import { dirname, join, relative } from "node:path";

/** The rooms of lib/. Each may import only those before it in this list. */
const ROOMS = [
  "os",
  "settings",
  "mattermost",
  "config",
  "database",
  "upgrade",
  "startup",
  "commands",
];

/** The files that may import everything. All rooms may import the other files in lib/ itself. */
const TOP = ["main.ts", "lib/program.ts", "lib/run.ts"];

/** The room whose files may have effects. */
const EFFECTS = "lib/os/";

/** Implementations of `System`. Only the program imports them; other files get a `System` as a parameter. */
const IMPLEMENTATIONS = [
  "lib/os/descriptors.ts",
  "lib/os/exec.ts",
  "lib/os/files.ts",
  "lib/os/give.ts",
  "lib/os/identity.ts",
  "lib/os/libc.ts",
  "lib/os/open_path.ts",
  "lib/os/ports.ts",
  "lib/os/processes.ts",
  "lib/os/real_system.ts",
  "lib/os/served_files.ts",
];

/**
 * npm packages that talk to servers, and the only file that may import each. Other files load
 * that file when they need it, because loading a driver takes time.
 */
const DRIVERS: Readonly<Record<string, string>> = {
  mysql: "lib/database/mysql/session.ts",
  nodemailer: "lib/os/smtp.ts",
  postgres: "lib/database/postgres/session.ts",
};

/** Pure files and directories: they get no `System`, not even as a parameter. */
const PURE = [
  "lib/certificate_expiry.ts",
  "lib/default_release.ts",
  "lib/errors.ts",
  "lib/hidden.ts",
  "lib/json.ts",
  "lib/release_range.ts",
  "lib/shell.ts",
  "lib/os/execvp.ts",
  "lib/os/http_reply.ts",
  "lib/settings/",
  "lib/mattermost/effective_value.ts",
  "lib/mattermost/listen_address.ts",
  "lib/mattermost/migrations.ts",
  "lib/mattermost/releases.ts",
  "lib/mattermost/requirement_rules.ts",
  "lib/mattermost/requirements.ts",
  "lib/mattermost/rewrites.ts",
  "lib/mattermost/verdict.ts",
  "lib/config/assignment.ts",
  "lib/config/assignments.ts",
  "lib/config/dead_end.ts",
  "lib/config/json_path.ts",
  "lib/config/json_text.ts",
  "lib/config/merge.ts",
  "lib/config/redact.ts",
  "lib/database/data_source.ts",
  "lib/database/dsn.ts",
  "lib/database/mysql/dsn.ts",
  "lib/database/postgres/dsn.ts",
  "lib/database/postgres/messages.ts",
  "lib/database/reasons.ts",
  "lib/upgrade/",
  "lib/commands/help.ts",
];

/** Pure modules of Deno, Node.js and npm. */
const PURE_MODULES = [
  "@std/",
  "node:buffer",
  "node:events",
  "node:path",
  "node:querystring",
  "node:url",
  "node:util",
];

/** Pure exports of modules that are not pure. */
const PURE_NAMES: Readonly<Record<string, readonly string[]>> = {
  "node:crypto": [
    "constants",
    "createHash",
    "createHmac",
    "createPublicKey",
    "hash",
    "timingSafeEqual",
    "verify",
    "X509Certificate",
  ],
  "node:net": ["isIP"],
};

/** Globals that have effects, or that depend on the process. */
const EFFECT_GLOBALS = [
  "Deno",
  "console",
  "crypto",
  "fetch",
  "localStorage",
  "navigator",
  "performance",
  "process",
  "setInterval",
  "setTimeout",
];

/** Members of other globals that have effects. */
const EFFECT_MEMBERS = ["AbortSignal.timeout", "Date.now", "Math.random"];

/** Files that need a default export. */
const DEFAULT_EXPORTS = ["tools/lint_plugin.ts"];

const ROOT = dirname(import.meta.dirname ?? ".");
const REGEXP_NAME_REGEXP = /^([A-Z0-9_]+_)?REGEXP$/;

/** A static or dynamic import. */
interface Import {
  readonly node: Deno.lint.Node;
  /** The text of the specifier. */
  readonly specifier: string;
  readonly kind: "value" | "type" | "lazy";
  /** The imported names; `undefined` stands for all names. */
  readonly names: readonly (string | undefined)[];
}

const plugin: Deno.lint.Plugin = {
  name: "project",
  rules: {
    "rooms": importRule(roomProblem),
    "drivers": importRule(driverProblem),
    "pure-imports": importRule(purityProblem),
    "no-ambient-effects": { create: ambientEffects },
    "no-default-export": {
      create: (context) =>
        DEFAULT_EXPORTS.includes(projectPath(context.filename)) ? {} : {
          ExportDefaultDeclaration(node) {
            context.report({
              node,
              message: "Use a named export instead of a default export",
            });
          },
        },
    },
    "no-reexport": { create: reexports },
    "regexp-name": { create: regexpNames },
    "no-top-level-arrow": { create: topLevelArrows },
  },
};

export default plugin;

function importRule(
  problemOf: (path: string, found: Import) => string | undefined,
): Deno.lint.Rule {
  return {
    create(context) {
      const path = projectPath(context.filename);
      if (!path.startsWith("lib/") && !TOP.includes(path)) return {};
      const check = (found: Import): void => {
        const message = problemOf(path, found);
        if (message !== undefined) {
          context.report({ node: found.node, message });
        }
      };
      return {
        ImportDeclaration(node) {
          const kind = node.importKind === "type" ? "type" : "value";
          check({
            node,
            specifier: node.source.value,
            kind,
            names: node.specifiers.map((part) =>
              part.type === "ImportSpecifier" &&
                part.imported.type === "Identifier"
                ? part.imported.name
                : undefined
            ),
          });
        },
        ImportExpression(node) {
          const specifier = textOf(node.source);
          if (specifier === undefined) return;
          check({ node, specifier, kind: "lazy", names: [undefined] });
        },
      };
    },
  };
}

function roomProblem(path: string, found: Import): string | undefined {
  if (!found.specifier.startsWith(".") || TOP.includes(path)) return undefined;
  const target = join(dirname(path), found.specifier);
  if (
    IMPLEMENTATIONS.includes(target) && found.kind !== "type" &&
    !isIn(path, IMPLEMENTATIONS)
  ) {
    return `Pass a System as a parameter instead of importing ${target}`;
  }
  if (target === "deno.json") return undefined;
  const [from, to] = [roomOf(path), roomOf(target)];
  if (to === undefined) return `A file in a room must not import ${target}`;
  if (from !== undefined && to <= from) return undefined;
  return `${path} must not import from ${
    ROOMS[to]
  }/: a file may import only its own room and the rooms before it (tools/lint_plugin.ts)`;
}

function driverProblem(path: string, found: Import): string | undefined {
  const { specifier, kind } = found;
  if (specifier.startsWith(".")) {
    const target = join(dirname(path), specifier);
    const isDriver = Object.values(DRIVERS).includes(target);
    return isDriver && kind === "value"
      ? `Load a driver only when it is needed: await import("${specifier}")`
      : undefined;
  }
  const name = packageOf(specifier);
  const home = DRIVERS[name];
  return home === undefined || path === home
    ? undefined
    : `Only ${home} may import the package ${name}`;
}

function purityProblem(path: string, found: Import): string | undefined {
  const { specifier, kind } = found;
  if (specifier.startsWith(".")) {
    const target = join(dirname(path), specifier);
    return isIn(path, PURE) && target === "lib/os/system.ts"
      ? "A pure file must not use System, not even as a parameter"
      : undefined;
  }
  if (kind === "type" || path.startsWith(EFFECTS)) return undefined;
  // The rule "drivers" checks these.
  if (DRIVERS[packageOf(specifier)] !== undefined) return undefined;
  const names = PURE_NAMES[specifier] ?? [];
  const pure = isPureModule(specifier) ||
    (found.names.length > 0 &&
      found.names.every((name) => name && names.includes(name)));
  return pure
    ? undefined
    : `Only ${EFFECTS} may import ${specifier}: use a member of System`;
}

/** The package of a module; package names with a scope do not occur. */
function packageOf(specifier: string): string {
  return specifier.split("/")[0] ?? specifier;
}

function isPureModule(specifier: string): boolean {
  return PURE_MODULES.some((name) =>
    specifier === name || specifier.startsWith(name.replace(/\/?$/, "/"))
  );
}

function ambientEffects(
  context: Deno.lint.RuleContext,
): Deno.lint.LintVisitor {
  const path = projectPath(context.filename);
  if (!path.startsWith("lib/") || path.startsWith(EFFECTS)) return {};
  const message = (name: string): string =>
    `Only ${EFFECTS} may use ${name}: use a member of System`;
  const seen = new Set<number>();
  return {
    Identifier(node) {
      if (!EFFECT_GLOBALS.includes(node.name) || !isReference(node)) return;
      // In `{ Deno }` the identifier is visited twice, as key and as value.
      if (seen.has(node.range[0])) return;
      seen.add(node.range[0]);
      context.report({ node, message: message(node.name) });
    },
    MemberExpression(node) {
      const name = context.sourceCode.getText(node);
      if (EFFECT_MEMBERS.includes(name)) {
        context.report({ node, message: message(name) });
      }
    },
    NewExpression(node) {
      const name = context.sourceCode.getText(node.callee);
      if (name === "Date" && node.arguments.length === 0) {
        context.report({ node, message: message("the time") });
      }
    },
  };
}

/** Whether an identifier refers to a variable, and is not the name of a member or key. */
function isReference(node: Deno.lint.Identifier): boolean {
  const { parent } = node;
  switch (parent.type) {
    case "MemberExpression":
      // `globalThis.Deno` is the global, `system.Deno` is not.
      return isSame(parent.object, node) || parent.computed ||
        (parent.object.type === "Identifier" &&
          parent.object.name === "globalThis");
    case "Property":
      return isSame(parent.value, node) || parent.computed;
    case "PropertyDefinition":
    case "MethodDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return !isSame(parent.key, node) || parent.computed;
    case "ImportDefaultSpecifier":
    case "ImportNamespaceSpecifier":
    case "ImportSpecifier":
      return false;
    case "TSQualifiedName":
      return isSame(parent.left, node);
    default:
      return true;
  }
}

function reexports(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const message =
    "Import from the module that declares it instead of re-exporting it";
  return {
    ExportAllDeclaration(node) {
      context.report({ node, message });
    },
    ExportNamedDeclaration(node) {
      if (node.source !== null) context.report({ node, message });
    },
  };
}

function regexpNames(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  return {
    VariableDeclarator(node) {
      if (!isTopLevel(node) || !isRegExp(node.init)) return;
      if (node.id.type !== "Identifier") return;
      if (REGEXP_NAME_REGEXP.test(node.id.name)) return;
      context.report({
        node: node.id,
        message:
          `The name of the RegExp ${node.id.name} must be in capitals and end with _REGEXP`,
      });
    },
  };
}

function isRegExp(node: Deno.lint.Node | null): boolean {
  if (node === null) return false;
  if (node.type === "Literal") return node.raw.startsWith("/");
  return (node.type === "NewExpression" || node.type === "CallExpression") &&
    node.callee.type === "Identifier" && node.callee.name === "RegExp";
}

function topLevelArrows(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  return {
    VariableDeclarator(node) {
      if (!isTopLevel(node)) return;
      if (node.init?.type !== "ArrowFunctionExpression") return;
      context.report({
        node,
        message: "Declare a top-level function with the keyword function",
      });
    },
  };
}

function isTopLevel(node: Deno.lint.VariableDeclarator): boolean {
  const { type } = node.parent.parent;
  return type === "Program" || type === "ExportNamedDeclaration";
}

/** The value of a string literal; `undefined` for other expressions. */
function textOf(node: Deno.lint.Node): string | undefined {
  return node.type === "Literal" && typeof node.value === "string"
    ? node.value
    : undefined;
}

function isSame(one: Deno.lint.Node, other: Deno.lint.Node): boolean {
  return one.range[0] === other.range[0] && one.range[1] === other.range[1];
}

function projectPath(filename: string): string {
  return relative(ROOT, filename);
}

function isIn(path: string, places: readonly string[]): boolean {
  return places.some((place) =>
    place.endsWith("/") ? path.startsWith(place) : path === place
  );
}

/** The index of a file's room; -1 for a file that all rooms may import, `undefined` for others. */
function roomOf(path: string): number | undefined {
  const [lib, room = "", file] = path.split("/");
  if (lib !== "lib" || TOP.includes(path)) return undefined;
  const index = file === undefined ? -1 : ROOMS.indexOf(room);
  return file !== undefined && index < 0 ? undefined : index;
}
