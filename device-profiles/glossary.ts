// Words of instrument manuals in both languages, so that a table in one of them gives ids and
// titles in the other. It translates a name only where it knows every part of it.

const words: readonly (readonly [zh: string, en: string])[] = [
  ['瞬时', 'instantaneous'],
  ['正向', 'forward'],
  ['反向', 'reverse'],
  ['净', 'net'],
  ['总', 'total'],
  ['累计', 'total'],
  ['累积', 'total'],
  ['流量', 'flow'],
  ['流速', 'velocity'],
  ['液位', 'level'],
  ['水位', 'water level'],
  ['物位', 'level'],
  ['压力', 'pressure'],
  ['差压', 'differential pressure'],
  ['大气压', 'atmospheric pressure'],
  ['气压', 'air pressure'],
  ['温度', 'temperature'],
  ['湿度', 'humidity'],
  ['密度', 'density'],
  ['供水', 'supply'],
  ['回水', 'return'],
  ['进水', 'inlet'],
  ['出水', 'outlet'],
  ['热量', 'heat'],
  ['冷量', 'cold'],
  ['功率', 'power'],
  ['有功', 'active'],
  ['无功', 'reactive'],
  ['视在', 'apparent'],
  ['功率因数', 'power factor'],
  ['正向', 'import'],
  ['反向', 'export'],
  ['费率', 'tariff'],
  ['电网', 'line'],
  ['环境', 'ambient'],
  ['平均', 'average'],
  ['最大', 'maximum'],
  ['最小', 'minimum'],
  ['介质', 'medium'],
  ['传感器', 'sensor'],
  ['气体', 'gas'],
  ['露点', 'dew point'],
  ['因数', 'factor'],
  ['电能', 'energy'],
  ['电度', 'energy'],
  ['电量', 'energy'],
  ['电压', 'voltage'],
  ['电流', 'current'],
  ['频率', 'frequency'],
  ['转速', 'speed'],
  ['A相', 'phase A'],
  ['B相', 'phase B'],
  ['C相', 'phase C'],
  ['甲烷', 'methane'],
  ['可燃气体', 'combustible gas'],
  ['一氧化碳', 'carbon monoxide'],
  ['二氧化碳', 'carbon dioxide'],
  ['硫化氢', 'hydrogen sulfide'],
  ['氧气', 'oxygen'],
  ['溶解氧', 'dissolved oxygen'],
  ['浊度', 'turbidity'],
  ['电导率', 'conductivity'],
  ['余氯', 'residual chlorine'],
  ['氨氮', 'ammonia nitrogen'],
  ['酸碱度', 'pH'],
  ['浓度', 'concentration'],
  ['风速', 'wind speed'],
  ['风向', 'wind direction'],
  ['雨量', 'rainfall'],
  ['噪声', 'noise'],
  ['倾角', 'tilt'],
  ['位移', 'displacement'],
  ['应变', 'strain'],
  ['振动', 'vibration'],
  ['加速度', 'acceleration'],
  ['X轴', 'X axis'],
  ['Y轴', 'Y axis'],
  ['Z轴', 'Z axis'],
  ['状态', 'status'],
  ['报警', 'alarm'],
  ['告警', 'alarm'],
  ['故障', 'fault'],
  ['代码', 'code'],
  ['信号', 'signal'],
  ['强度', 'strength'],
  ['质量', 'quality'],
  ['电池', 'battery'],
  ['供电', 'supply'],
  ['设备', 'device'],
  ['地址', 'address'],
  ['运行', 'operation'],
  ['时间', 'time'],
  ['小时', 'hours'],
  ['版本', 'version'],
  ['高', 'high'],
  ['低', 'low'],
  ['上限', 'upper limit'],
  ['下限', 'lower limit'],
  ['高限', 'high limit'],
  ['低限', 'low limit'],
  ['正常', 'normal'],
  ['开关', 'switch'],
  ['关', 'off'],
  ['开', 'on'],
  ['停止', 'stopped'],
  ['启动', 'started'],
  ['预热', 'warming up'],
  ['标定', 'calibration'],
  ['抑制', 'inhibited'],
  ['无', 'none'],
  ['一级', 'first'],
  ['二级', 'second'],
];

const longestFirst = [...words].sort(([a], [b]) => b.length - a.length);

/** 瞬时流量 -> Instantaneous flow; undefined where a part is not known. */
export function englishOf(zh: string): string | undefined {
  const parts: string[] = [];
  let rest = zh.replaceAll(/\s+/g, '');
  while (rest) {
    const plain = /^[A-Za-z0-9]+/.exec(rest)?.[0];
    const word = longestFirst.find(([known]) => rest.startsWith(known));
    if (!word && !plain) return undefined;
    parts.push(word ? word[1] : plain!);
    rest = rest.slice(word ? word[0].length : plain!.length);
  }
  const text = parts.join(' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Total flow -> 总流量; undefined where a word is not known. */
export function chineseOf(en: string): string | undefined {
  const parts: string[] = [];
  let rest = en.toLowerCase().replaceAll(/\s+/g, ' ').trim();
  while (rest) {
    const word = words
      .filter(([, known]) => `${rest} `.startsWith(`${known.toLowerCase()} `))
      .sort(([, a], [, b]) => b.length - a.length)[0];
    // L1, L1-N, 2: names that are the same in both.
    const number = /^[a-z]?[0-9]+(-[a-z0-9]+)?(?= |$)/.exec(rest)?.[0];
    if (!word && !number) return undefined;
    parts.push(word ? word[0] : ` ${number!.toUpperCase()} `);
    rest = rest.slice(word ? word[1].length : number!.length).trim();
  }
  return parts.join('').replaceAll(/\s+/g, ' ').trim() || undefined;
}
