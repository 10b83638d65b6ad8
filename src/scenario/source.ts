/**
 * Where a field of the scenario stands in its file.
 *
 * Owns: following a path through the syntax tree of `export default defineScenario(...)`: objects,
 * lists, constants of the file, functions that return an object, and the language's words. A path that
 * cannot be followed further is placed at its nearest known ancestor.
 */
import { createRequire } from "node:module";
import { positionalParameters } from "./language/scenario.ts";
import type { Locate } from "./mistakes.ts";

/** A node of the tree, as far as this file looks at one. */
interface SyntaxNode {
  readonly type: string;
  readonly loc?: { readonly start: { readonly line: number; readonly column: number } } | null;
  readonly [field: string]: unknown;
}

/** Constants of the file by name. */
type Constants = ReadonlyMap<string, SyntaxNode>;

/** The parser is loaded, and the file parsed, at the first mistake: most scenarios have none. */
export function locateInSource(text: string): Locate {
  let tree: SyntaxTree | null | undefined;
  return (path) => {
    if (tree === undefined) tree = syntaxTree(text);
    if (tree === null) return null;
    const root = unwrap(tree.exported, tree.constants);
    let place: SyntaxNode = tree.exported;
    let node: SyntaxNode | null = root;
    for (const part of path) {
      if (node === null) break;
      const found: Found | null = child(node, part, tree.constants);
      if (found === null) break;
      place = found.place;
      node = unwrap(found.value, tree.constants);
    }
    const start = place.loc?.start;
    return start === undefined ? null : { line: start.line, column: start.column + 1 };
  };
}

interface Found {
  /** Where to point: a property's name, a list's item, an argument. */
  readonly place: SyntaxNode;
  readonly value: SyntaxNode;
}

function child(node: SyntaxNode, part: string | number, constants: Constants): Found | null {
  switch (node.type) {
    case "ObjectExpression":
      return property(node, String(part), constants);
    case "ArrayExpression": {
      const item = nodes(node["elements"])[Number(part)];
      return item === undefined || spreadBefore(node, Number(part)) ? null : both(item);
    }
    case "CallExpression": {
      const parameters = nodes(node["arguments"]);
      const name = (node["callee"] as SyntaxNode)["name"];
      const names = typeof name === "string" ? positionalParameters[name] : undefined;
      const positional = parameters[names?.indexOf(String(part)) ?? -1];
      if (positional !== undefined) return both(positional);
      for (const parameter of parameters) {
        const value = unwrap(parameter, constants);
        const found = value?.type === "ObjectExpression" ? child(value, part, constants) : null;
        if (found !== null) return found;
      }
      return null;
    }
    default:
      return null;
  }
}

function property(node: SyntaxNode, name: string, constants: Constants): Found | null {
  let found: Found | null = null;
  for (const member of nodes(node["properties"])) {
    if (member.type === "SpreadElement") {
      const spread = unwrap(member["argument"] as SyntaxNode, constants);
      found = (spread === null ? null : child(spread, name, constants)) ?? found;
    } else if (keyOf(member) === name) {
      const value = member.type === "ObjectProperty" ? (member["value"] as SyntaxNode) : member;
      found = { place: member, value };
    }
  }
  return found;
}

function keyOf(member: SyntaxNode): string | null {
  const key = member["key"] as SyntaxNode | undefined;
  if (key === undefined || (member["computed"] === true && key.type !== "StringLiteral"))
    return null;
  const name = key.type === "Identifier" ? key["name"] : key["value"];
  return typeof name === "string" || typeof name === "number" ? String(name) : null;
}

/** The node behind casts, names of constants, defineScenario and functions. */
function unwrap(node: SyntaxNode, constants: Constants, depth = 0): SyntaxNode | null {
  if (depth > 20) return null;
  const next = behind(node, constants);
  return next === node ? node : next === null ? null : unwrap(next, constants, depth + 1);
}

function behind(node: SyntaxNode, constants: Constants): SyntaxNode | null {
  switch (node.type) {
    case "TSAsExpression":
    case "TSSatisfiesExpression":
    case "TSNonNullExpression":
    case "ParenthesizedExpression":
      return node["expression"] as SyntaxNode;
    case "Identifier":
      return constants.get(String(node["name"])) ?? null;
    case "CallExpression":
      return (node["callee"] as SyntaxNode)["name"] === "defineScenario"
        ? (nodes(node["arguments"])[0] ?? null)
        : node;
    case "ArrowFunctionExpression":
    case "FunctionExpression":
    case "FunctionDeclaration":
      return returned(node["body"] as SyntaxNode);
    default:
      return node;
  }
}

/** The value of a function: its expression, or its last return on the outermost level. */
function returned(body: SyntaxNode): SyntaxNode | null {
  if (body.type !== "BlockStatement") return body;
  const last = nodes(body["body"]).findLast((statement) => statement.type === "ReturnStatement");
  return (last?.["argument"] as SyntaxNode | null | undefined) ?? null;
}

interface SyntaxTree {
  readonly exported: SyntaxNode;
  readonly constants: Constants;
}

function syntaxTree(text: string): SyntaxTree | null {
  const { parse } = createRequire(import.meta.url)(
    "@babel/parser",
  ) as typeof import("@babel/parser");
  let body: SyntaxNode[];
  try {
    const file = parse(text, {
      sourceType: "module",
      plugins: ["typescript"],
      errorRecovery: true,
    });
    body = file.program.body as unknown as SyntaxNode[];
  } catch {
    return null;
  }
  const constants = new Map<string, SyntaxNode>();
  for (const statement of body) collectConstants(statement, constants);
  const exported = body.find((statement) => statement.type === "ExportDefaultDeclaration");
  return exported === undefined
    ? null
    : { exported: exported["declaration"] as SyntaxNode, constants };
}

/** Constants at the top of the file and, for `({ env }) => { const ... }`, those of the function. */
function collectConstants(statement: SyntaxNode, constants: Map<string, SyntaxNode>): void {
  if (
    statement.type === "ExportNamedDeclaration" ||
    statement.type === "ExportDefaultDeclaration"
  ) {
    let declared = statement["declaration"] as SyntaxNode | null;
    if (declared?.type === "CallExpression") declared = nodes(declared["arguments"])[0] ?? null;
    if (declared === null) return;
    collectConstants(declared, constants);
  } else if (statement.type === "VariableDeclaration") {
    for (const { id, init } of nodes(statement["declarations"])) {
      const name = (id as SyntaxNode)["name"];
      if (typeof name === "string" && init) constants.set(name, init as SyntaxNode);
    }
  } else if (/Function/.test(statement.type)) {
    const name = (statement["id"] as SyntaxNode | null)?.["name"];
    if (typeof name === "string") constants.set(name, statement);
    for (const inner of nodes((statement["body"] as SyntaxNode)["body"])) {
      if (inner.type === "VariableDeclaration") collectConstants(inner, constants);
    }
  }
}

function both(node: SyntaxNode): Found {
  return { place: node, value: node };
}

function spreadBefore(list: SyntaxNode, index: number): boolean {
  return nodes(list["elements"])
    .slice(0, index + 1)
    .some((element) => element?.type === "SpreadElement");
}

function nodes(value: unknown): SyntaxNode[] {
  return Array.isArray(value) ? (value as SyntaxNode[]) : [];
}
