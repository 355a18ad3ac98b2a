/* A foreign Modbus peer over libmodbus.
 *
 *   serve tcp | serve rtu PORT   prints its TCP port, or "ready"; answers as unit 3
 *   ask tcp PORT | ask rtu PORT  reads a request a line, prints an answer a line
 *
 * A request is numbers: unit, function, then as the function wants (exchanges.ts says it). An answer
 * is "ok" and the values read, "exception N", "none" for a function the library has not, or "error".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNIT = 3, BITS = 2000, REGISTERS = 300, NUMBERS_MAX = 2100 };

static int serve(modbus_t *ctx, int is_tcp) {
  modbus_mapping_t *map = modbus_mapping_new(BITS, BITS, REGISTERS, REGISTERS);
  for (int i = 0; i < BITS; i++) {
    map->tab_bits[i] = i % 3 == 0;
    map->tab_input_bits[i] = i % 2 == 1;
  }
  for (int i = 0; i < REGISTERS; i++) {
    map->tab_registers[i] = (uint16_t)(i * 257);
    map->tab_input_registers[i] = (uint16_t)(60000 + i);
  }
  int listener = -1;
  if (is_tcp) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    listener = modbus_tcp_listen(ctx, 1);
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &length) < 0) return 1;
    printf("%d\n", ntohs(address.sin_port));
  } else {
    modbus_set_slave(ctx, UNIT);
    if (modbus_connect(ctx) < 0) return 1;
    printf("ready\n");
  }
  fflush(stdout);
  for (;;) {
    if (is_tcp) modbus_tcp_accept(ctx, &listener);
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    for (;;) {
      int got = modbus_receive(ctx, query);
      if (got < 0 && is_tcp) break;
      if (got > 0) modbus_reply(ctx, query, got, map);
    }
    modbus_close(ctx);
  }
}

/* What the library would not send itself, such as a quantity beyond the limit. */
static int read_raw(modbus_t *ctx, const long *n) {
  uint8_t raw[] = {n[0], n[1], n[2] >> 8, n[2], n[3] >> 8, n[3]};
  uint8_t answer[MODBUS_TCP_MAX_ADU_LENGTH];
  int header = modbus_get_header_length(ctx);
  if (modbus_send_raw_request(ctx, raw, sizeof raw) < 0) return -1;
  if (modbus_receive_confirmation(ctx, answer) < 0) return -1;
  if (answer[header] != (n[1] | 0x80)) return 0;
  errno = MODBUS_ENOBASE + answer[header + 1];
  return -1;
}

static int is_within(const long *n) {
  return n[3] >= 1 && n[3] <= (n[1] <= 2 ? MODBUS_MAX_READ_BITS : MODBUS_MAX_READ_REGISTERS);
}

static void answer(modbus_t *ctx, const long *n, int count) {
  static uint8_t bits[NUMBERS_MAX];
  static uint16_t words[NUMBERS_MAX];
  static uint8_t write_bits[NUMBERS_MAX];
  static uint16_t write_words[NUMBERS_MAX];
  int first = n[1] == 23 ? 5 : 3;
  int values = count - first;
  for (int i = 0; i < values; i++) {
    write_bits[i] = (uint8_t)n[first + i];
    write_words[i] = (uint16_t)n[first + i];
  }
  modbus_set_slave(ctx, n[0]);
  int got = 0;
  switch (n[1]) {
    case 1: got = is_within(n) ? modbus_read_bits(ctx, n[2], n[3], bits) : read_raw(ctx, n); break;
    case 2: got = is_within(n) ? modbus_read_input_bits(ctx, n[2], n[3], bits) : read_raw(ctx, n); break;
    case 3: got = is_within(n) ? modbus_read_registers(ctx, n[2], n[3], words) : read_raw(ctx, n); break;
    case 4: got = is_within(n) ? modbus_read_input_registers(ctx, n[2], n[3], words) : read_raw(ctx, n); break;
    case 5: got = modbus_write_bit(ctx, n[2], n[3]); break;
    case 6: got = modbus_write_register(ctx, n[2], n[3]); break;
    case 15: got = modbus_write_bits(ctx, n[2], values, write_bits); break;
    case 16: got = modbus_write_registers(ctx, n[2], values, write_words); break;
    case 22: got = modbus_mask_write_register(ctx, n[2], n[3], n[4]); break;
    case 23:
      got = modbus_write_and_read_registers(ctx, n[4], values, write_words, n[2], n[3], words);
      break;
    default: printf("none\n"); return;
  }
  if (got < 0) {
    int code = errno - MODBUS_ENOBASE;
    if (code >= 1 && code <= 11) printf("exception %d\n", code);
    else printf("error %s\n", modbus_strerror(errno));
    return;
  }
  printf("ok");
  if (n[1] <= 4 || n[1] == 23) {
    for (int i = 0; i < got; i++) printf(" %u", n[1] <= 2 ? bits[i] : words[i]);
  }
  printf("\n");
}

static int ask(modbus_t *ctx) {
  static char line[64 * 1024];
  if (modbus_connect(ctx) < 0) return 1;
  modbus_set_response_timeout(ctx, 5, 0);
  while (fgets(line, sizeof line, stdin)) {
    long numbers[NUMBERS_MAX] = {0};
    int count = 0;
    for (char *word = strtok(line, " \n"); word && count < NUMBERS_MAX; word = strtok(NULL, " \n")) {
      numbers[count++] = strtol(word, NULL, 10);
    }
    answer(ctx, numbers, count);
    fflush(stdout);
  }
  modbus_close(ctx);
  modbus_free(ctx);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  int is_tcp = strcmp(argv[2], "tcp") == 0;
  const char *place = argc > 3 ? argv[3] : "0";
  modbus_t *ctx = is_tcp ? modbus_new_tcp("127.0.0.1", atoi(place))
                         : modbus_new_rtu(place, 115200, 'N', 8, 1);
  if (!ctx) return 1;
  return strcmp(argv[1], "serve") == 0 ? serve(ctx, is_tcp) : ask(ctx);
}
