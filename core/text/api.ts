import type { Bilingual, FaultText } from './text.ts';

export const apiMessages = {
  'api-disk-full': { en: 'no room on the disk of the cloud', zh: '平台磁盘没有空间' },
  'api-no-route': { en: 'no {method} {url}', zh: '没有 {method} {url}' },
  'api-no-alarm': { en: 'no alarm {id}', zh: '没有报警 {id}' },
  'api-no-delivery': { en: 'no delivery {id}', zh: '没有通知 {id}' },
  'api-no-gateway': { en: 'no gateway {id}', zh: '没有网关 {id}' },
  'api-no-series': { en: 'no series {number}', zh: '没有序列 {number}' },
  'api-no-principal': { en: 'no principal {name}', zh: '没有名为 {name} 的使用者' },
  'api-no-cursor': {
    en: 'after: "{after}" is no cursor of this list',
    zh: 'after：“{after}”不是此列表的游标',
  },
  'api-no-span': { en: 'from {from} is not before to {to}', zh: 'from {from} 不早于 to {to}' },
  'api-no-epoch': {
    en: 'epochs: "{pair}" is not gateway:epoch',
    zh: 'epochs：“{pair}”不是 网关:纪元 的形式',
  },
  'api-no-topic': {
    en: 'topic "{unknown}" is none of {known}',
    zh: '主题“{unknown}”不在以下之列：{known}',
  },
  'api-no-entry': { en: 'no entry {seq} in the journal', zh: '日志中没有第 {seq} 条记录' },
  'api-no-letter': { en: 'no dead letter {id}', zh: '没有死信 {id}' },
  'api-letters-scope': {
    en: 'dead letters belong to no asset: this token has a scope',
    zh: '死信不属于任何资产：此令牌限定了范围',
  },
  'api-journal-scope': {
    en: 'name an alarm: this token has a scope',
    zh: '请指定报警：此令牌限定了范围',
  },
  'api-not-this-host': {
    en: 'Host "{name}" is not this server',
    zh: 'Host“{name}”不是本服务器',
  },
  'api-token-needed': { en: 'a valid bearer token is needed', zh: '需要有效的 Bearer 令牌' },
  'api-right-needed': {
    en: '"{name}" has the right {has}, this needs {needed}',
    zh: '“{name}”的权限为 {has}，此操作需要 {needed}',
  },
  'api-fields': { en: '{why}', zh: '请求参数有误：{why}' },
  'api-most-number': { en: '{path}: at most {limit}', zh: '{path}：最大为 {limit}' },
  'api-most-signs': { en: '{path}: at most {limit} signs', zh: '{path}：最多 {limit} 个字符' },
  'api-most-entries': { en: '{path}: at most {limit} entries', zh: '{path}：最多 {limit} 项' },
  'api-least-number': { en: '{path}: at least {limit}', zh: '{path}：最小为 {limit}' },
  'api-least-signs': { en: '{path}: at least {limit} signs', zh: '{path}：至少 {limit} 个字符' },
  'api-least-entries': { en: '{path}: at least {limit} entries', zh: '{path}：至少 {limit} 项' },
  'api-one-of': { en: '{path}: must be one of {known}', zh: '{path}：须为以下之一：{known}' },
  'api-unknown-keys': { en: '{keys}: not known here', zh: '{keys}：此处没有该字段' },
  'api-type-number': { en: '{path}: a number is wanted', zh: '{path}：须为数字' },
  'api-type-int': { en: '{path}: a whole number is wanted', zh: '{path}：须为整数' },
  'api-type-string': { en: '{path}: a text is wanted', zh: '{path}：须为文本' },
  'api-type-boolean': { en: '{path}: true or false is wanted', zh: '{path}：须为 true 或 false' },
  'api-type-array': { en: '{path}: a list is wanted', zh: '{path}：须为列表' },
  'api-type-object': { en: '{path}: an object is wanted', zh: '{path}：须为对象' },
  'api-form': { en: '{path}: must have the form {form}', zh: '{path}：格式须为 {form}' },
  'api-form-datetime': {
    en: '{path}: a time is wanted, as 2026-01-31T08:00:00Z',
    zh: '{path}：须为时间，如 2026-01-31T08:00:00Z',
  },
  'api-form-date': {
    en: '{path}: a day is wanted, as 2026-01-31',
    zh: '{path}：须为日期，如 2026-01-31',
  },
  'api-unfit': { en: '{path}: not what is taken here', zh: '{path}：不符合要求' },
  'api-if-match': {
    en: 'If-Match: {found} is not the revision in quotes, as "7", nor *',
    zh: 'If-Match：{found} 既不是带引号的修订号（如 "7"），也不是 *',
  },
  'api-body-beyond': { en: 'the body has more than {max} bytes', zh: '请求体超过 {max} 字节' },
  'api-json-wanted': {
    en: 'the body must be application/json',
    zh: '请求体的类型必须是 application/json',
  },
  'api-no-json': { en: 'the request cannot be read: {why}', zh: '请求无法解析：{why}' },
  'api-failed': { en: 'the server failed', zh: '服务器内部出错' },
} as const satisfies Record<string, Bilingual>;

export const apiFaults = {
  api_bind: {
    en: {
      what: 'The API cannot listen where it should.',
      cause: 'Another program holds the port, or the address is not one of this machine.',
      action: 'End what holds it, or set another `api.host` and `api.port` in the cloud file.',
    },
    zh: {
      what: 'API 无法在指定位置监听。',
      cause: '端口被其他程序占用，或该地址不属于本机。',
      action: '结束占用端口的程序，或在云端配置中改用其他 `api.host` 和 `api.port`。',
    },
  },
  api_unclassified: {
    en: {
      what: 'A route of the API says nothing about who may call it.',
      cause: 'A mistake in the program: each route names the right it needs.',
      action: 'Report it; give the route a right.',
    },
    zh: {
      what: 'API 的某个路由没有说明谁可以调用。',
      cause: '程序错误：每个路由都必须注明所需权限。',
      action: '请报告此问题，并为该路由指定权限。',
    },
  },
  api_unauthenticated: {
    en: {
      what: 'The call carried no valid token.',
      cause: 'The Authorization header is missing, or the token was revoked or made anew.',
      action: 'Send `Authorization: Bearer TOKEN`; make one with `lifeline cloud token`.',
    },
    zh: {
      what: '请求未携带有效令牌。',
      cause: '缺少 Authorization 头，或令牌已被吊销、重新生成。',
      action: '发送 `Authorization: Bearer TOKEN`；用 `lifeline cloud token` 生成令牌。',
    },
  },
  api_forbidden: {
    en: {
      what: 'The token does not have the right this call needs.',
      cause: 'Rights rise from read over operate and control to administer; each call names one.',
      action: 'Use a token with the named right, or ask whoever administers the cloud.',
    },
    zh: {
      what: '令牌没有该操作所需的权限。',
      cause: '权限由低到高为 read、operate、control、administer；每个操作都注明所需权限。',
      action: '改用具备该权限的令牌，或联系云端管理员。',
    },
  },
  api_foreign_host: {
    en: {
      what: 'The call named a host that is not this server.',
      cause: 'A page of another origin, or a proxy that passes its own name on.',
      action: 'Call it by its own name, or add the name under `api.names` in the cloud file.',
    },
    zh: {
      what: '请求的主机名不是本服务器。',
      cause: '来自其他来源的网页，或代理传入了自己的主机名。',
      action: '使用服务器自身名称，或在云端配置的 `api.names` 中加入该名称。',
    },
  },
  api_not_found: {
    en: {
      what: 'There is nothing at this address.',
      cause: 'The path is wrong, or the thing it names does not exist or is out of your scope.',
      action: 'See /v1/openapi.json for the paths.',
    },
    zh: {
      what: '该地址没有内容。',
      cause: '路径有误，或所指对象不存在、超出您的范围。',
      action: '可在 /v1/openapi.json 查看全部路径。',
    },
  },
  api_error: {
    en: {
      what: 'The server failed on this request.',
      cause: 'A mistake in the program; its log says more.',
      action: 'Look for `api_request_failed` in the log of the cloud, and report it.',
    },
    zh: {
      what: '服务器处理此请求时出错。',
      cause: '程序错误；详情见日志。',
      action: '在云端日志中查找 `api_request_failed` 并上报。',
    },
  },
  api_malformed: {
    en: {
      what: 'The request cannot be read.',
      cause: 'The body is no JSON, or the request is cut off.',
      action: 'Send whole, valid JSON; the detail says what is wrong with it.',
    },
    zh: {
      what: '请求无法解析。',
      cause: '请求体不是 JSON，或请求不完整。',
      action: '发送完整有效的 JSON；detail 说明具体问题。',
    },
  },
  api_too_large: {
    en: {
      what: 'The body of the request is larger than the API takes.',
      cause: 'A body may have at most 1 MB.',
      action: 'Send less at a time.',
    },
    zh: {
      what: '请求体超过 API 的上限。',
      cause: '请求体最多 1 MB。',
      action: '分次发送。',
    },
  },
  api_not_json: {
    en: {
      what: 'The body of the request is of a type the API does not take.',
      cause: 'The header content-type names something other than application/json.',
      action: 'Send JSON with `content-type: application/json`.',
    },
    zh: {
      what: '请求体的类型不被 API 接受。',
      cause: 'content-type 头不是 application/json。',
      action: '以 `content-type: application/json` 发送 JSON。',
    },
  },
  api_bad_request: {
    en: {
      what: 'The call is not what the API takes.',
      cause: 'A parameter is missing, has the wrong form, or is out of bounds.',
      action: 'Read the list of errors in the answer; each names the field.',
    },
    zh: {
      what: '请求不符合 API 要求。',
      cause: '某个参数缺失、格式错误或超出范围。',
      action: '查看应答中的错误列表，每条都指明字段。',
    },
  },
  api_disk_full: {
    en: {
      what: 'The disk of the cloud is full: nothing was done.',
      cause: 'Acts, rules and cases are on disk before they are answered.',
      action: 'Make room on the disk of the cloud, then do it again.',
    },
    zh: {
      what: '平台磁盘已满：操作未执行。',
      cause: '操作、规则和案件须先写入磁盘才会答复。',
      action: '清理平台磁盘空间后重新操作。',
    },
  },
  api_conflict: {
    en: {
      what: 'Somebody or something was faster.',
      cause: 'The thing changed since it was read, for example the alarm has a newer occurrence.',
      action: 'Read it again, then decide.',
    },
    zh: {
      what: '对象已被他人更改。',
      cause: '读取之后对象发生了变化，例如报警已有新的一次发生。',
      action: '重新读取后再决定。',
    },
  },
} as const satisfies Record<string, FaultText>;
