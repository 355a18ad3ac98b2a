"""A foreign Modbus peer over pymodbus 3.0.

  serve tcp | serve rtu PORT | serve ascii PORT   prints its TCP port, or "ready"; answers as unit 3
  ask tcp PORT | ask rtu PORT | ask ascii PORT    reads a request a line, prints an answer a line

A request is numbers: unit, function, then as the function wants (exchanges.ts says it). An answer is
"ok" and the values read, "exception N", or "error".
"""
import asyncio
import logging
import sys

from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.mei_message import ReadDeviceInformationRequest
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer
from pymodbus.transaction import ModbusAsciiFramer, ModbusRtuFramer

UNIT = 3
BITS = 2000
REGISTERS = 300
FRAMERS = {"rtu": ModbusRtuFramer, "ascii": ModbusAsciiFramer}
logging.disable(logging.ERROR)  # It logs each exception it is meant to give.


async def serve(over, place):
    slave = ModbusSlaveContext(
        co=ModbusSequentialDataBlock(0, [i % 3 == 0 for i in range(BITS)]),
        di=ModbusSequentialDataBlock(0, [i % 2 == 1 for i in range(BITS)]),
        hr=ModbusSequentialDataBlock(0, [(i * 257) & 0xFFFF for i in range(REGISTERS)]),
        ir=ModbusSequentialDataBlock(0, [(60000 + i) & 0xFFFF for i in range(REGISTERS)]),
        zero_mode=True,
    )
    context = ModbusServerContext(slaves={UNIT: slave}, single=False)
    names = {"VendorName": "Example Instruments", "ProductCode": "LF-100", "MajorMinorRevision": "1.4"}
    identity = ModbusDeviceIdentification(info_name=names)
    if over == "tcp":
        server = ModbusTcpServer(context, identity=identity, address=("127.0.0.1", 0))
        task = asyncio.ensure_future(server.serve_forever())
        await server.serving
        print(server.server.sockets[0].getsockname()[1], flush=True)
        await task
    else:
        server = ModbusSerialServer(
            context, framer=FRAMERS[over], identity=identity, port=place, baudrate=115200
        )
        await server.start()
        print("ready", flush=True)
        await server.serve_forever()


def send(client, unit, function, *n):
    if function == 1:
        return client.read_coils(n[0], n[1], slave=unit)
    if function == 2:
        return client.read_discrete_inputs(n[0], n[1], slave=unit)
    if function == 3:
        return client.read_holding_registers(n[0], n[1], slave=unit)
    if function == 4:
        return client.read_input_registers(n[0], n[1], slave=unit)
    if function == 5:
        return client.write_coil(n[0], bool(n[1]), slave=unit)
    if function == 6:
        return client.write_register(n[0], n[1], slave=unit)
    if function == 15:
        return client.write_coils(n[0], [bool(bit) for bit in n[1:]], slave=unit)
    if function == 16:
        return client.write_registers(n[0], list(n[1:]), slave=unit)
    if function == 22:
        return client.mask_write_register(address=n[0], and_mask=n[1], or_mask=n[2], unit=unit)
    if function == 23:
        return client.readwrite_registers(
            read_address=n[0], read_count=n[1], write_address=n[2], write_registers=list(n[3:]), unit=unit
        )
    return client.execute(ReadDeviceInformationRequest(read_code=n[0], object_id=n[1], unit=unit))


def told(function, numbers, answer):
    if hasattr(answer, "exception_code"):
        return f"exception {answer.exception_code}"
    if answer.isError():
        return f"error {answer}"
    if function in (1, 2):
        return " ".join(["ok", *(str(int(bit)) for bit in answer.bits[: numbers[1]])])
    if function in (3, 4, 23):
        return " ".join(["ok", *(str(word) for word in answer.registers)])
    if function == 43:
        return "ok " + "|".join(f"{i}={answer.information[i].decode()}" for i in sorted(answer.information))
    return "ok"


def ask(over, place):
    if over == "tcp":
        client = ModbusTcpClient("127.0.0.1", port=int(place), timeout=5)
    else:
        client = ModbusSerialClient(port=place, framer=FRAMERS[over], baudrate=115200, timeout=5)
    assert client.connect()
    for line in sys.stdin:
        unit, function, *numbers = (int(word) for word in line.split())
        print(told(function, numbers, send(client, unit, function, *numbers)), flush=True)
    client.close()


verb, over, place = (sys.argv[1:] + [None])[:3]
if verb == "serve":
    asyncio.run(serve(over, place))
else:
    ask(over, place)
