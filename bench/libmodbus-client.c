/* The same requests through libmodbus, one in flight: it has no more. `PORT REGISTERS REQUESTS` prints CPU µs. */
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static long micros(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

int main(int argc, char **argv) {
  if (argc != 4) return 64;
  const int registers = atoi(argv[2]);
  const long requests = atol(argv[3]);
  uint16_t words[MODBUS_MAX_READ_REGISTERS];
  modbus_t *ctx = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
  modbus_set_slave(ctx, 1);
  if (modbus_connect(ctx) < 0) return 1;
  const long before = micros();
  for (long at = 0; at < requests; at++) {
    if (modbus_read_registers(ctx, (int)(at % 16) * registers, registers, words) != registers) return 2;
  }
  printf("%ld\n", micros() - before);
  modbus_close(ctx);
  modbus_free(ctx);
  return 0;
}
