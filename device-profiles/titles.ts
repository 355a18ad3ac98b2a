// Ids and titles of points from the names in a register table, which mostly has one language.
import { isId } from '../core/point.ts';
import { TITLE_MAX } from '../core/schema.ts';
import type { Bilingual } from '../core/text/text.ts';
import { PLACEHOLDER } from './format.ts';
import { chineseOf, englishOf } from './glossary.ts';
import type { Row } from './table-row.ts';

export interface Named {
  readonly id: string;
  readonly title: Bilingual;
}

const ID_CHARACTERS_MAX = 40;

/** `name` is the name without a unit, where one stood in it; empty where there is none. */
export function namesOf(row: Row, address: string, ids: Set<string>, name: string): Named {
  const isChinese = /[\u3400-\u9fff]/.test(name);
  const [both, rest] = splitBoth(name);
  const zh = row.text('nameZh') || (both ?? (isChinese ? name : ''));
  const en = row.text('nameEn') || (rest ?? (isChinese ? '' : name));
  const known = { en: en || (zh && englishOf(zh)), zh: zh || (en && chineseOf(en)) };
  const fallback = en || zh || row.text('id') || address;
  const untranslated = known.en ? (known.zh ? null : 'zh') : 'en';
  if (untranslated) {
    row.findings.remark(row.at('nameZh', 'nameEn', 'name'), `table-title-${untranslated}`, {});
  }
  const given = slug(row.text('id')) || slug(known.en ?? '') || `r-${slug(address)}`;
  return {
    id: unique(given, ids),
    title: {
      en: cut(known.en || `${PLACEHOLDER}: ${fallback}`),
      zh: cut(known.zh || `${PLACEHOLDER}: ${fallback}`),
    },
  };
}

/** `液位 Level`, `Level 液位`: one name in both languages. */
function splitBoth(name: string): readonly [zh: string, en: string] | readonly [] {
  const zhFirst = /^([\u3400-\u9fff][^A-Za-z]*?)[\s/(（]+([A-Za-z][\x20-\x7e]{2,}?)[)）]?$/.exec(
    name,
  );
  if (zhFirst) return [zhFirst[1]!.trim(), zhFirst[2]!.trim()];
  const enFirst = /^([A-Za-z][\x20-\x7e]{2,}?)[\s/(（]+([\u3400-\u9fff][^A-Za-z]*?)[)）]?$/.exec(
    name,
  );
  return enFirst ? [enFirst[2]!.trim(), enFirst[1]!.trim()] : [];
}

/** A text in one language as both, translated where every word of it is known. */
export function bothOf(text: string): Bilingual {
  const isChinese = /[\u3400-\u9fff]/.test(text);
  const en = (isChinese && englishOf(text)) || text;
  const zh = (!isChinese && chineseOf(text)) || text;
  return { en: cut(en), zh: cut(zh) };
}

/** At most what a title may hold, never half a character. */
export function cut(text: string): string {
  return text
    .slice(0, TITLE_MAX)
    .replace(/[\ud800-\udbff]$/, '')
    .trim();
}

function slug(text: string): string {
  const plain = text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, ID_CHARACTERS_MAX)
    .replaceAll(/^-+|-+$/g, '');
  return isId(plain) ? plain : '';
}

function unique(wanted: string, ids: Set<string>): string {
  let id = wanted;
  for (let count = 2; ids.has(id); count++) id = `${wanted}-${count}`;
  ids.add(id);
  return id;
}
