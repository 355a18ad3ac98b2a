/** Whether a name or address is this machine itself (RFC 6890: 127.0.0.0/8, ::1). */
export function isLoopback(host: string): boolean {
  return /^(localhost|::1|\[::1\]|127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/.test(host);
}
