// Documents of elements and texts, written so that any text gives a well-formed one: what XML 1.0
// (section 2.2) has no place for becomes U+FFFD, and what has a meaning in it is escaped.

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** A text; elements; or a document that is whole already and stands in it as it is. */
  readonly content: string | readonly Element[] | { readonly document: string };
}

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const FORBIDDEN = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;

export function element(
  name: string,
  content: Element['content'],
  attributes: Element['attributes'] = {},
): Element {
  return { name, content, attributes };
}

/** Nothing where the text is null or blank: for what need not be there. */
export function optional(name: string, text: string | null): Element[] {
  const shown = cleaned(text ?? '');
  return shown === '' ? [] : [element(name, shown)];
}

/** As it can stand in a document, without blanks at its ends. */
export function cleaned(text: string): string {
  return text.replaceAll(FORBIDDEN, '\ufffd').trim();
}

export function document(root: Element): string {
  return `${DECLARATION}${rendered(root, '')}\n`;
}

/** The document as an element of another. */
export function undeclared(text: string): string {
  return text.startsWith(DECLARATION) ? text.slice(DECLARATION.length).trimEnd() : text;
}

function rendered({ name, attributes, content }: Element, indent: string): string {
  const given = Object.entries(attributes).map(([key, value]) => {
    return ` ${key}="${escaped(value, /[&<>"\r\n\t]/g)}"`;
  });
  const open = `${indent}<${name}${given.join('')}`;
  if (typeof content === 'string') return `${open}>${escaped(content, /[&<>\r]/g)}</${name}>`;
  if ('document' in content) return `${open}>${content.document}</${name}>`;
  if (content.length === 0) return `${open}/>`;
  const inner = content.map((each) => rendered(each, `${indent}  `)).join('\n');
  return `${open}>\n${inner}\n${indent}</${name}>`;
}

// A parser makes a blank of an attribute's line end, and a line end of a carriage return.
const escapes: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' },
  ...{ '\r': '&#13;', '\n': '&#10;', '\t': '&#9;' },
};

function escaped(text: string, special: RegExp): string {
  return text.replaceAll(FORBIDDEN, '\ufffd').replaceAll(special, (sign) => escapes[sign]!);
}
